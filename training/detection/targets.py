"""From the boxes of a picture to what every cell of a detector's map should say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SPREAD = 0.54 / 6
"""Sigma of an object's bump as a share of its side (TTFNet, Liu et al. 2020: alpha 0.54)."""

_LEAST_SPREAD = 0.55
"""Least sigma in cells: a person of one cell still warms its neighbours, because its centre may be off."""

_LEARNS = 0.15
"""Cells at least so warm learn the object's box."""

Targets = dict[str, NDArray[np.float32]]


def targets(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    ignore: NDArray[np.bool_],
    count: int,
    cells: tuple[int, int],
    stride: int,
) -> Targets:
    """Maps of one picture.

    Args:
        boxes: float32 (M, 4), x1 y1 x2 y2 in input pixels.
        classes: int64 (M,).
        ignore: bool (M,): nothing is learned where these are, and nothing of them.
        count: number of classes.
        cells: (rows, columns) of the map.
        stride: input pixels of a cell.

    Returns:
        ``heat``: float32 (classes, h, w), exactly 1 at each object's centre and falling off around it;
        ``counts``: float32 (1, h, w), 0 in ignored places; ``box``: float32 (4, h, w), cx cy w h in input
        pixels of the object a cell belongs to; ``share``: float32 (1, h, w), how much the cell's box counts:
        an object's cells sum to 1.
    """
    rows, columns = cells
    heat = np.zeros((count, rows, columns), np.float32)
    counts = np.ones((1, rows, columns), np.float32)
    box = np.ones((4, rows, columns), np.float32)
    share = np.zeros((1, rows, columns), np.float32)
    owner = np.full((rows, columns), -1, np.int64)
    warmest = np.zeros((rows, columns), np.float32)
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = boxes[:, 2:] - boxes[:, :2]
    for index in np.flatnonzero(ignore):
        x0, y0 = np.floor(boxes[index, :2] / stride).astype(int)
        x1, y1 = np.ceil(boxes[index, 2:] / stride).astype(int)
        counts[0, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 0
    for index in np.flatnonzero(~ignore):
        column = min(max(int(centres[index, 0] / stride), 0), columns - 1)
        row = min(max(int(centres[index, 1] / stride), 0), rows - 1)
        spread = np.maximum(sides[index] / stride * _SPREAD, _LEAST_SPREAD)
        bump = np.exp(-0.5 * (((x - column) / spread[0]) ** 2 + ((y - row) / spread[1]) ** 2))
        bump = bump.astype(np.float32)
        np.maximum(heat[classes[index]], bump, out=heat[classes[index]])
        mine = (bump >= _LEARNS) & (bump > warmest)
        warmest[mine], owner[mine] = bump[mine], index
        box[:, mine] = np.concatenate([centres[index], sides[index]])[:, None]
    for index in np.unique(owner[owner >= 0]):
        mine = owner == index
        share[0, mine] = warmest[mine] / warmest[mine].sum()
    return {"heat": heat, "counts": counts, "box": box, "share": share}
