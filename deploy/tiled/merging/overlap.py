"""How much two boxes overlap, pair by pair, in the arithmetic that sahi uses."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["iou", "ios"]
Boxes = NDArray[np.floating]


def overlap(left: Boxes, right: Boxes, metric: Metric) -> Boxes:
    """Overlap of the pairs (M, 4) x1 y1 x2 y2 with (M, 4): (M,), in the dtype of the boxes.

    ``iou``: intersection over union; ``ios``: over the smaller box. 0 where both boxes have no area. The
    order of the operations is sahi's, so that a pair at the threshold falls on the same side.
    """
    low = np.maximum(left[:, :2], right[:, :2])
    high = np.minimum(left[:, 2:], right[:, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[:, 0] * sides[:, 1]
    one, two = area(left), area(right)
    whole = one + two - shared if metric == "iou" else np.minimum(one, two)
    ratio: Boxes = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return ratio


def area(boxes: Boxes) -> Boxes:
    """Areas of boxes (M, 4): (M,)."""
    areas: Boxes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
