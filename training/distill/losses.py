"""The losses of promptable masks, one number an answer, so that a batch's mean needs no count of pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.distill.geometry import generalised_iou_of_pairs


def focal(logits: Tensor, wanted: Tensor, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss (Lin et al. 2017) of every element, for hard or soft targets in 0..1.

    ``alpha`` weighs the positives; 0.5 weighs both alike. For soft targets the factor is
    ``|target - chance| ^ gamma`` (quality focal loss, Li et al. 2020), which is the same for hard ones.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    weight = 2 * (alpha * wanted + (1 - alpha) * (1 - wanted))
    return weight * (wanted - logits.sigmoid()).abs().pow(gamma) * entropy


def dice(logits: Tensor, wanted: Tensor) -> Tensor:
    """``1 - 2 sum(pt) / (sum(p) + sum(t))`` of every mask (Milletari et al. 2016): (M, h, w) to (M,)."""
    chance = logits.sigmoid()
    overlap = (chance * wanted).sum(dim=(1, 2))
    total = chance.sum(dim=(1, 2)) + wanted.sum(dim=(1, 2))
    return 1 - (2 * overlap + 1) / (total + 1)


def pair_mask_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Focal, averaged over pixels and times 20 (SAM's ratio of focal to dice, Kirillov et al. 2023), plus
    dice: (M, h, w) both to (M,)."""
    return 20 * focal(logits, wanted).mean(dim=(1, 2)) + dice(logits, wanted)


def pair_box_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """L1 times 5 plus ``1 - GIoU`` times 2 (DETR's weights, Carion et al. 2020): (M, 4) both to (M,)."""
    apart = (found - wanted).abs().sum(dim=1)
    return 5 * apart + 2 * (1 - generalised_iou_of_pairs(found, wanted))


def by_answer(values: Tensor, answer: Tensor, answers: int) -> Tensor:
    """The mean of each answer's pairs: float (M,) to (N,); 0 for an answer without pairs."""
    sums = values.new_zeros(answers).index_add(0, answer, values)
    counts = values.new_zeros(answers).index_add(0, answer, torch.ones_like(values))
    return sums / counts.clamp(min=1)


def alignment(student: Tensor, teacher: Tensor, cells: int = 8) -> Tensor:
    """How differently two feature maps see likeness between places: (B, D, h, w) and (B, E, k, l) to (B,).

    Both are averaged to ``cells`` x ``cells`` places; the cosine of every two places is compared
    (similarity-preserving distillation, Tung and Mori 2019, over places). Nothing is learned for it, so
    channels may differ and no projection is left behind in the student.
    """
    return (_likeness(student, cells) - _likeness(teacher, cells)).square().mean(dim=(1, 2))


def _likeness(features: Tensor, cells: int) -> Tensor:
    """Cosines between places: float (B, cells ** 2, cells ** 2)."""
    pooled = functional.adaptive_avg_pool2d(features, cells).flatten(2)
    pooled = pooled - pooled.mean(dim=2, keepdim=True)
    unit = functional.normalize(pooled, dim=1, eps=1e-4)
    return torch.matmul(unit.transpose(1, 2), unit)
