"""The loss of foreground masks: cross-entropy for every pixel, Dice for the whole."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy plus Dice (Milletari et al., V-Net, 2016), averaged over the batch.

    Args:
        logits: float (N, 1, h, w), at any stride.
        truth: float (N, 1, H, W), 0 or 1.

    Returns:
        A scalar; 0 for a perfect and certain answer.
    """
    if logits.ndim != 4 or truth.ndim != 4 or logits.shape[:2] != truth.shape[:2] or truth.shape[1] != 1:
        raise ValueError(
            f"logits {tuple(logits.shape)} and truth {tuple(truth.shape)} do not fit (N, 1, h, w)"
        )
    if truth.shape[2] * logits.shape[3] != truth.shape[3] * logits.shape[2]:
        raise ValueError(f"logits {tuple(logits.shape)} and truth {tuple(truth.shape)} differ in shape")
    if logits.shape != truth.shape:
        logits = functional.interpolate(logits, size=truth.shape[-2:], mode="bilinear", align_corners=False)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    chance = logits.sigmoid()
    overlap = (chance * truth).sum(dim=(1, 2, 3))
    total = (chance + truth).sum(dim=(1, 2, 3))
    # The 1 keeps empty frames finite and rewards empty answers to them.
    return entropy + (1 - (2 * overlap + 1) / (total + 1)).mean()
