"""Where the tiles of a picture lie: a grid with overlap whose last row and column are moved back inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tiling import Tiling


def windows(size: tuple[int, int], tiling: Tiling) -> NDArray[np.int32]:
    """The tiles of a picture, row by row; the same as sahi's ``get_slice_bboxes``.

    Args:
        size: (height, width) of the picture.
        tiling: tile size and overlap.

    Returns:
        int32 (N, 4) x1 y1 x2 y2 in picture pixels. Every tile has the full size, but where the picture is
        smaller than a tile.
    """
    height, width = size
    tops = _starts(height, tiling.height, tiling.overlap)
    lefts = _starts(width, tiling.width, tiling.overlap)
    y, x = (axis.ravel() for axis in np.meshgrid(tops, lefts, indexing="ij"))
    right, bottom = np.minimum(x + tiling.width, width), np.minimum(y + tiling.height, height)
    return np.stack([x, y, right, bottom], axis=1).astype(np.int32)


def _starts(length: int, tile: int, overlap: float) -> NDArray[np.int64]:
    """First pixels of the tiles along one axis; the last one ends with the picture."""
    step = max(1, tile - int(overlap * tile))
    room = max(0, length - tile)
    count = 1 + -(-room // step)
    return np.minimum(np.arange(count, dtype=np.int64) * step, room)
