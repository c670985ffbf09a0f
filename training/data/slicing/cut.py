"""The objects of one picture as its tiles show them; what an edge cuts too far is ignored, never dropped."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstanceTruth

_Real = TypeVar("_Real", np.float32, np.float64)

MIN_VISIBLE = 0.3
"""Share of an object that a tile must show for it to count there."""


def cut(
    truth: InstanceTruth, windows: NDArray[np.int32], min_visible: float = MIN_VISIBLE
) -> tuple[InstanceTruth, ...]:
    """The truth of every tile, in tile pixels and in the order of ``truth``.

    An object is in each tile that shows any of it, clipped to the tile. Where less than ``min_visible`` of
    its box is shown it is ignored there, as it is where the picture itself ignores it. Masks are cut with the
    boxes; a box stays what its tile shows of the box, not of the mask.

    Args:
        truth: the picture's objects.
        windows: int32 (N, 4), x1 y1 x2 y2 of the tiles in picture pixels.
        min_visible: share of a box's area.
    """
    shown, share = visible(truth.boxes, windows)
    tiles = []
    for row, (left, top, right, bottom) in enumerate(windows.tolist()):
        inside = np.flatnonzero(share[row] > 0)
        ignore = share[row, inside] < min_visible
        if truth.ignore is not None:
            ignore |= truth.ignore[inside]
        corner = np.array((left, top, left, top), np.float32)
        masks = None if truth.masks is None else truth.masks[inside, top:bottom, left:right]
        size = (bottom - top, right - left)
        tiles.append(InstanceTruth(size, shown[row, inside] - corner, truth.classes[inside], masks, ignore))
    return tuple(tiles)


def visible(boxes: NDArray[_Real], windows: NDArray[np.int32]) -> tuple[NDArray[_Real], NDArray[np.float64]]:
    """What every window shows of every box.

    Args:
        boxes: float32 or float64 (M, 4), x1 y1 x2 y2 in picture pixels.
        windows: int32 (N, 4), likewise.

    Returns:
        Boxes clipped to the windows, (N, M, 4) of the same type, still in picture pixels (meaningless where
        nothing is shown), and the shown share of each box's area, float64 (N, M).
    """
    here, there = boxes[None].astype(np.float64), windows[:, None].astype(np.float64)
    low = np.maximum(here[..., :2], there[..., :2])
    high = np.minimum(here[..., 2:], there[..., 2:])
    sides = np.clip(high - low, 0, None)
    whole = np.prod(here[..., 2:] - here[..., :2], axis=2)
    area = np.prod(sides, axis=2)
    share = np.divide(area, whole, out=np.zeros_like(area), where=whole > 0)
    return np.concatenate([low, high], axis=2).astype(boxes.dtype), share
