"""Boxes and overlaps of batches of masks."""

from __future__ import annotations

import torch
from torch import Tensor


def mask_iou(found: Tensor, wanted: Tensor) -> Tensor:
    """Soft IoU of every pair: float (N, Q, h, w) and (N, T, h, w) in 0..1 to float (N, Q, T).

    ``sum(min) / sum(max)`` would need every pair's pixels; the product does for chances near 0 and 1.
    """
    one, two = found.flatten(2), wanted.flatten(2)
    both = torch.matmul(one, two.transpose(1, 2))
    either = one.sum(dim=2)[:, :, None] + two.sum(dim=2)[:, None] - both
    return both / either.clamp(min=1e-6)


def boxes_of(masks: Tensor) -> Tensor:
    """The tight box of every mask: bool (..., H, W) to float (..., 4), centre x, centre y, width, height in
    0..1; zeros for an empty mask."""
    height, width = masks.shape[-2:]
    columns, rows = masks.any(dim=-2), masks.any(dim=-1)
    left, right = _ends(columns, width)
    top, bottom = _ends(rows, height)
    filled = columns.any(dim=-1, keepdim=True)
    box = torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=-1)
    return box * filled


def _ends(line: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """First and one past the last true cell of bool (..., length), as shares of it."""
    number = line.to(torch.uint8)
    first = number.argmax(dim=-1)
    last = length - number.flip(-1).argmax(dim=-1)
    return first / length, last / length


def corners(boxes: Tensor) -> Tensor:
    """Centre and size to x0, y0, x1, y1: float (..., 4) both."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def generalised_iou(one: Tensor, two: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019) of every pair: float (N, Q, 4) and (N, T, 4) to (N, Q, T)."""
    return generalised_iou_of_pairs(one[:, :, None], two[:, None])


def generalised_iou_of_pairs(one: Tensor, two: Tensor) -> Tensor:
    """GIoU of boxes side by side: float (..., 4), centre and size, broadcast, to float (...)."""
    first, second = corners(one), corners(two)
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    both = (high - low).clamp(min=0).prod(dim=-1)
    either = one[..., 2:].prod(dim=-1) + two[..., 2:].prod(dim=-1) - both
    hull = (
        torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])
    ).prod(dim=-1)
    return both / either.clamp(min=1e-6) - (hull - either) / hull.clamp(min=1e-6)
