"""Where samples lie along an axis, and bilinear or nearest reading between its elements."""

from __future__ import annotations

import torch

Tensor = torch.Tensor

SAMPLING = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS")


def grid(size: float, count: int, mode: str) -> Tensor:
    """``count`` positions in ``0 .. size-1`` (fp64), as the documentation of ``resize_bilinear`` has it.

    Args:
        size: number of elements along the axis; fractional for a box of ``crop_resize``.
        mode: one of ``SAMPLING``.
    """
    steps = torch.arange(count, dtype=torch.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if count == 1:
            positions = torch.tensor(
                [(size - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0], dtype=torch.float64
            )
        else:
            positions = steps * ((size - 1) / (count - 1))
    elif mode == "DEFAULT":
        positions = steps * ((size - size / count) / (count - 1)) if count > 1 else steps
    elif mode == "OFFSET_CORNERS":
        delta = max(1.0, size - 1) / count
        positions = 0.5 * delta + steps * delta
    elif mode == "UNALIGN_CORNERS":
        spacing = size / count
        positions = steps * spacing + 0.5 * spacing - 0.5
    else:
        raise ValueError(f"unknown sampling_mode {mode!r}")
    return positions.clamp(0.0, max(size - 1, 0.0))


def nearest_indices(size: int, count: int, mode: str) -> Tensor:
    """Elements nearest to the grid's positions; ``UNALIGN_CORNERS`` takes the element it falls into."""
    if mode == "UNALIGN_CORNERS":
        found = torch.floor((torch.arange(count, dtype=torch.float64) + 0.5) * size / count)
    else:
        found = torch.floor(grid(size, count, mode) + 0.5)
    return found.clamp(0, size - 1).to(torch.int64)


def interpolate(x: Tensor, axis: int, positions: Tensor) -> Tensor:
    """Linear interpolation along one axis at fractional positions within it."""
    size = x.shape[axis]
    low = positions.floor().clamp(0, size - 1)
    left = low.to(torch.int64)
    right = (left + 1).clamp(max=size - 1)
    shape = [1] * x.dim()
    shape[axis] = -1
    share = (positions - low).to(torch.float32).reshape(shape)
    a, b = x.index_select(axis, left), x.index_select(axis, right)
    return a + (b - a) * share
