"""The whole loss of promptable masks: truth and teacher, each matched on its own, mixed by a stated share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.distill.geometry import boxes_of
from training.distill.losses import by_answer, pair_box_loss, pair_mask_loss
from training.distill.matcher import MatchSettings, costs, demand_bool, match
from training.models.promptable.decoder import Found

Count = Callable[[str, float], None]


@dataclass(frozen=True)
class LossWeights:
    """What each part counts. A query without an object is told so by ``score`` and, through it, ``no_object``
    is the weight of such a query beside one with an object."""

    mask: float = 1.0
    box: float = 0.2
    score: float = 1.0
    presence: float = 1.0
    semantic: float = 1.0
    no_object: float = 0.4


@dataclass(frozen=True)
class _Wanted:
    """Targets of a batch: ``masks`` float (N, T, H, W) 0..1, ``boxes`` (N, T, 4), ``scores`` (N, T) 0..1,
    ``counts`` int64 (N,), ``presence`` (N,) 0..1."""

    masks: Tensor
    boxes: Tensor
    scores: Tensor
    counts: Tensor
    presence: Tensor


class Objective:
    """Answers and targets to one number.

    Args:
        how: the matcher.
        weights: of the parts.
        truth_share: share of the truth in a distilled loss; the teacher has the rest.
        tau: a teacher's queries below this score teach nothing.
        count: takes ``(name, amount)`` of everything that should be seen in the metrics.
    """

    def __init__(
        self, how: MatchSettings, weights: LossWeights, truth_share: float, tau: float, count: Count
    ) -> None:
        self._how, self._weights, self._share, self._tau = how, weights, truth_share, tau
        self._count = count

    def __call__(self, found: Found, batch: Mapping[str, Tensor]) -> Tensor:
        """The mean over all answers; each answer counts the same whatever its number of objects, so that
        the mean over equal parts of a batch is the mean over the batch."""
        truth = self._part(found, self._truth(batch), "truth")
        if "teacher_masks" not in batch:
            return truth.mean()
        teacher = self._part(found, self._teacher(batch), "teacher")
        return (self._share * truth + (1 - self._share) * teacher).mean()

    def _truth(self, batch: Mapping[str, Tensor]) -> _Wanted:
        """``truth`` of a batch is bool (N, T, H, W), ``objects`` int64 (N,) says how many are real."""
        masks = demand_bool(batch["truth"])
        counts = batch["objects"]
        real = torch.arange(masks.shape[1], device=masks.device)[None] < counts[:, None]
        return _Wanted(masks.float(), boxes_of(masks), real.float(), counts, (counts > 0).float())

    def _teacher(self, batch: Mapping[str, Tensor]) -> _Wanted:
        """A teacher's logits (N, T, h, w) and scores (N, T); queries below ``tau`` are dropped."""
        scores, order = batch["teacher_scores"].sort(dim=1, descending=True, stable=True)
        counts = (scores >= self._tau).sum(dim=1)
        logits = batch["teacher_masks"]
        logits = logits.gather(1, order[:, :, None, None].expand_as(logits))
        self._count("teacher_queries_dropped", float(scores.numel() - int(counts.sum())))
        boxes = boxes_of(logits > 0)
        return _Wanted(logits.sigmoid(), boxes, scores, counts, batch["teacher_presence"])

    def _part(self, found: Found, wanted: _Wanted, name: str) -> Tensor:
        """One loss an answer, float (N,)."""
        answers, queries = found.scores.shape
        if name == "truth":
            self._count("answers", answers)
        over = int((wanted.counts > queries).sum())
        if over:
            self._count(f"{name}_over_queries", over)
        matches = match(self._prices(found, wanted), wanted.counts, self._how)
        self._count(f"{name}_pairs", len(matches.answer))
        place, thing = (matches.answer, matches.query), (matches.answer, matches.object)
        goal = wanted.masks[thing]
        masks = _at(found.masks[place][:, None], goal.shape[-2:])[:, 0]
        mask = by_answer(pair_mask_loss(masks, goal), matches.answer, answers)
        box = by_answer(pair_box_loss(found.boxes[place], wanted.boxes[thing]), matches.answer, answers)
        scores = torch.zeros_like(found.scores)
        scores[place] = wanted.scores[thing]
        weight = torch.full_like(scores, self._weights.no_object)
        weight[place] = 1.0
        # Not focal: its answers stay unsure, and a score is read as a chance.
        score = (weight * _entropy(found.scores, scores)).sum(dim=1)
        presence = _entropy(found.presence[:, 0], wanted.presence)
        semantic = pair_mask_loss(_at(found.semantic, goal.shape[-2:])[:, 0], _union(wanted))
        parts = {"mask": mask, "box": box, "score": score, "presence": presence, "semantic": semantic}
        for key, value in parts.items():
            self._count(f"{name}_{key}_loss", float(value.detach().sum()))
        return sum((getattr(self._weights, key) * value for key, value in parts.items()), torch.zeros(()))

    def _prices(self, found: Found, wanted: _Wanted) -> Tensor:
        """Costs at the resolution of the answer's masks: float (N, Q, T)."""
        size = found.masks.shape[-2:]
        small = wanted.masks
        if small.shape[-2:] != size:
            small = functional.adaptive_avg_pool2d(small, (size[0], size[1]))
        chances, scores = found.masks.sigmoid(), found.scores.sigmoid()
        return costs(chances, found.boxes, scores, small, wanted.boxes, self._how)


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of every element with targets in 0..1."""
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")


def _at(logits: Tensor, size: torch.Size) -> Tensor:
    """Float (N, C, h, w) raised to ``size``."""
    if logits.shape[-2:] == size:
        return logits
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def _union(wanted: _Wanted) -> Tensor:
    """The pixels of all real targets of each answer: float (N, H, W)."""
    places = torch.arange(wanted.masks.shape[1], device=wanted.masks.device)
    real = (places[None] < wanted.counts[:, None]).float()
    return (wanted.masks * real[:, :, None, None]).amax(dim=1)
