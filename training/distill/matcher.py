"""Which query answers for which object: Hungarian by default, greedy on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deploy.errors import DeployError
from training.distill.geometry import generalised_iou, mask_iou

Method = Literal["hungarian", "greedy"]


@dataclass(frozen=True)
class MatchSettings:
    """How a pair is priced: ``alpha (1 - IoU) + beta (L1 + 1 - GIoU) + gamma (1 - score)``.

    ``most``: pairs of one answer at most, the cheapest first; 0 for as many as there are.
    """

    method: Method = "hungarian"
    alpha: float = 1.0
    beta: float = 0.25
    gamma: float = 0.25
    most: int = 0


@dataclass(frozen=True)
class Matches:
    """Matched pairs of a batch, int64 (M,) each: the answer, its query, its object."""

    answer: Tensor
    query: Tensor
    object: Tensor


def demand_bool(truth: Tensor) -> Tensor:
    """True masks as they are; anything but bool is refused, because logits or chances passed as truth were
    seen to ruin matching without a sign (a sigmoid makes 0 to one half).

    Raises:
        DeployError: ``TRUTH-NOT-BOOL``.
    """
    if truth.dtype != torch.bool:
        raise DeployError(
            "TRUTH-NOT-BOOL",
            f"True masks came as {truth.dtype}; a true mask says yes or no for every pixel.",
            "Give the world's masks as bool, and a teacher's logits as a teacher's answer.",
        )
    return truth


@torch.no_grad()
def costs(
    masks: Tensor, boxes: Tensor, scores: Tensor, targets: Tensor, target_boxes: Tensor, how: MatchSettings
) -> Tensor:
    """The price of every pair.

    Args:
        masks: float (N, Q, h, w), chances 0..1.
        boxes: float (N, Q, 4), centre and size.
        scores: float (N, Q), chances.
        targets: float (N, T, h, w), 0..1, at the same resolution.
        target_boxes: float (N, T, 4).
        how: weights.

    Returns:
        float (N, Q, T).
    """
    cost = how.alpha * (1 - mask_iou(masks, targets))
    if how.beta:
        apart = (boxes[:, :, None] - target_boxes[:, None]).abs().sum(dim=-1)
        cost = cost + how.beta * (apart + 1 - generalised_iou(boxes, target_boxes))
    return cost + how.gamma * (1 - scores)[:, :, None]


def match(cost: Tensor, counts: Tensor, how: MatchSettings) -> Matches:
    """Pair queries and objects.

    Args:
        cost: float (N, Q, T).
        counts: int64 (N,), how many of the T objects of each answer are real.
        how: method and most pairs.
    """
    prices = cost.cpu().numpy()
    rows: list[NDArray[np.int64]] = []
    for number, real in enumerate(counts.tolist()):
        if real:
            queries, objects = _pairs(prices[number, :, :real], how.method)
            if how.most and len(queries) > how.most:
                cheap = np.sort(np.argsort(prices[number, queries, objects], kind="stable")[: how.most])
                queries, objects = queries[cheap], objects[cheap]
            rows.append(np.stack([np.full(len(queries), number), queries, objects]))
    found = np.concatenate(rows, axis=1) if rows else np.zeros((3, 0), np.int64)
    answer, query, thing = torch.from_numpy(found.astype(np.int64)).to(cost.device)
    return Matches(answer, query, thing)


def _pairs(prices: NDArray[np.float32], method: Method) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the chosen pairs of one answer."""
    if method == "hungarian":
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment(prices)  # type: ignore[no-any-return]
    left, queries, objects = prices.astype(np.float64), [], []
    for _ in range(min(prices.shape)):
        query, thing = np.unravel_index(int(left.argmin()), left.shape)
        queries.append(query)
        objects.append(thing)
        left[query, :], left[:, thing] = np.inf, np.inf
    return np.asarray(queries, np.int64), np.asarray(objects, np.int64)
