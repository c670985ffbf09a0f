"""The detector's two losses: where objects are, and how large they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def heat_loss(logits: Tensor, heat: Tensor, counts: Tensor) -> Tensor:
    """Penalty-reduced focal loss (CornerNet, Law and Deng 2018, alpha 2 and beta 4), summed over cells.

    Args:
        logits: float (N, C, h, w).
        heat: float (N, C, h, w), 1 at centres, falling off around them.
        counts: float (N, 1, h, w), 0 where nothing is learned.

    Returns:
        Float (N,).
    """
    chance = logits.sigmoid()
    found = -functional.logsigmoid(logits) * (1 - chance) ** 2
    absent = -functional.logsigmoid(-logits) * chance**2 * (1 - heat) ** 4
    cells = torch.where(heat == 1, found, absent * counts)
    return cells.sum(dim=(1, 2, 3))


def box_loss(found: Tensor, truth: Tensor, share: Tensor) -> Tensor:
    """1 - GIoU (Rezatofighi et al. 2019) of every cell that belongs to an object, weighted by ``share``.

    Args:
        found, truth: float (N, 4, h, w), cx cy w h in pixels, sides above 0.
        share: float (N, 1, h, w).

    Returns:
        Float (N,).
    """
    low = [each[:, :2] - each[:, 2:] / 2 for each in (found, truth)]
    high = [each[:, :2] + each[:, 2:] / 2 for each in (found, truth)]
    inner = (torch.minimum(*high) - torch.maximum(*low)).clamp(min=0).prod(dim=1)
    outer = (torch.maximum(*high) - torch.minimum(*low)).prod(dim=1)
    union = found[:, 2:].prod(dim=1) + truth[:, 2:].prod(dim=1) - inner
    giou = inner / union - (outer - union) / outer
    return ((1 - giou) * share[:, 0]).sum(dim=(1, 2))
