"""An answer read by fixed rules: logits are demanded, queries are kept or not, masks come to picture size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import PromptThresholds
from deploy.errors import DeployError
from deploy.prompts.types import Answer

_NEAR = 0.1


@dataclass(frozen=True)
class Reading:
    """What an answer says.

    ``said``: whether anything is there; ``kept``: bool (K, H, W), the masks that it stands by, none where it
    says that nothing is there; ``ranked``: bool (D, H, W) with ``confidences`` float64 (D,), score times
    presence, what average precision ranks; ``queries``: how many there were; ``soft``: float32 (h, w), how
    much each pixel is foreground: presence times the largest of sigmoid(mask) times score.
    """

    said: bool
    kept: NDArray[np.bool_]
    ranked: NDArray[np.bool_]
    confidences: NDArray[np.float64]
    queries: int
    soft: NDArray[np.float32]

    @property
    def union(self) -> NDArray[np.bool_]:
        """All kept masks together, bool (H, W)."""
        return np.asarray(self.kept.any(axis=0), np.bool_)


def read_answer(answer: Answer, size: tuple[int, int], rules: PromptThresholds, who: str) -> Reading:
    """Read one answer for a picture of ``size`` (height, width).

    Logits are resized bilinearly before they are cut, and only those that are kept or ranked.

    Args:
        answer: a model's answer to one prompt.
        size: the picture's.
        rules: from where on what counts.
        who: the model's name, for messages.

    Raises:
        DeployError: ``ANSWER-BROKEN``, ``ANSWER-NOT-LOGITS``.
    """
    demand_logits(answer, who)
    scores = answer.scores.astype(np.float64)
    confidences = scores * float(answer.presence)
    said = float(answer.presence) >= rules.presence
    kept = np.flatnonzero(scores >= rules.score) if said else np.zeros(0, np.intp)
    order = np.argsort(-confidences, kind="stable")[: rules.ranked_most]
    ranked = order[confidences[order] >= rules.ranked_from]
    wanted = np.union1d(kept, ranked).astype(np.intp)
    masks = np.zeros((len(scores), *size), np.bool_)
    for query in wanted:
        masks[query] = resized(answer.masks[query], size) > rules.mask_logit
    return Reading(
        said=said,
        kept=masks[kept],
        ranked=masks[ranked],
        confidences=confidences[ranked],
        queries=len(scores),
        soft=_soft(answer),
    )


def resized(logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """One map, float32 (h, w), at ``size`` (height, width): bilinear, pixel centres at half integers."""
    if logits.shape == size:
        return logits
    wide = (size[1], size[0])
    return np.asarray(cv2.resize(logits, wide, interpolation=cv2.INTER_LINEAR), np.float32)


def demand_logits(answer: Answer, who: str) -> None:
    """Refuse what is no answer, and masks that are probabilities or already cut.

    A threshold at logit 0 would take every pixel of a probability as foreground: masks between 0 and 1 that
    come near both ends are refused.

    Raises:
        DeployError: ``ANSWER-BROKEN``, ``ANSWER-NOT-LOGITS``.
    """
    masks, scores, presence = answer.masks, answer.scores, float(answer.presence)
    if masks.ndim != 3 or scores.shape != masks.shape[:1] or masks.size == 0 < len(scores):
        raise _broken(who, f"masks of shape {masks.shape} and scores of shape {scores.shape}")
    if not np.issubdtype(masks.dtype, np.floating):
        raise _squashed(who, f"masks of dtype {masks.dtype}")
    if not (np.isfinite(masks).all() and np.isfinite(scores).all() and math.isfinite(presence)):
        raise _broken(who, "a value that is not finite")
    if not (0 <= presence <= 1 and (len(scores) == 0 or (scores.min() >= 0 and scores.max() <= 1))):
        raise _broken(who, f"a score or a presence outside 0..1 (presence {presence:g})")
    if masks.size:
        low, high = float(masks.min()), float(masks.max())
        if 0 <= low <= _NEAR and 1 - _NEAR <= high <= 1:
            raise _squashed(who, f"masks between {low:g} and {high:g}")


class LogitWatch:
    """Looks at all masks of one model: a model that never leaves 0..1 gives no logits, however near the
    ends it comes."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._low, self._high = math.inf, -math.inf

    def see(self, answer: Answer) -> None:
        """Take one answer's range."""
        if answer.masks.size:
            self._low = min(self._low, float(answer.masks.min()))
            self._high = max(self._high, float(answer.masks.max()))

    def demand(self) -> None:
        """Raise ``ANSWER-NOT-LOGITS`` when all masks lay in 0..1 and were not one constant."""
        if 0 <= self._low < self._high <= 1:
            raise _squashed(self._who, f"nothing but masks between {self._low:g} and {self._high:g}")


def _soft(answer: Answer) -> NDArray[np.float32]:
    """Float32 (h, w), 0..1; without queries, zeros of one pixel."""
    if len(answer.scores) == 0:
        return np.zeros((1, 1), np.float32)
    logits = np.clip(answer.masks.astype(np.float32), -60, 60)
    weighted = answer.scores.astype(np.float32)[:, None, None] / (1 + np.exp(-logits))
    return np.asarray(weighted.max(axis=0) * np.float32(answer.presence), np.float32)


def _broken(who: str, what: str) -> DeployError:
    return DeployError(
        "ANSWER-BROKEN",
        f"{who} answered with {what}.",
        "Answer with masks float32 (Q, h, w), scores (Q,) in 0..1 and a presence in 0..1, all finite.",
    )


def _squashed(who: str, what: str) -> DeployError:
    return DeployError(
        "ANSWER-NOT-LOGITS",
        f"{who} answered with {what}; logits are demanded, and these look like probabilities or cut masks.",
        "Return the mask head's raw output, or log(p / (1 - p)) of a probability.",
    )
