"""Class-aware non-maximum suppression in numpy, equal to torchvision's on the same boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def non_maximum_suppression(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.int64], iou: float, most: int
) -> NDArray[np.int64]:
    """Indices to keep, best score first.

    Args:
        boxes: float32 (N, 4) x1 y1 x2 y2.
        scores: float32 (N,).
        classes: int64 (N,); boxes of different classes never suppress each other.
        iou: a box is dropped when its IoU with a better one is greater than this.
        most: keep at most this many.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while order.size and len(kept) < most:
        best = int(order[0])
        kept.append(best)
        rest = order[1:]
        top_left = np.maximum(boxes[rest, :2], boxes[best, :2])
        bottom_right = np.minimum(boxes[rest, 2:], boxes[best, 2:])
        inter = np.prod(np.clip(bottom_right - top_left, 0, None), axis=1)
        overlap = inter > iou * (areas[rest] + areas[best] - inter)
        order = rest[~(overlap & (classes[rest] == classes[best]))]
    return np.asarray(kept, np.int64)


def box_intersection(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square pixels that every pair shares: (N, 4) and (M, 4) x1 y1 x2 y2 to (N, M)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared: NDArray[np.float32] = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    return shared


def box_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """IoU of every pair: (N, 4) and (M, 4) x1 y1 x2 y2 to (N, M)."""
    inter = box_intersection(a, b)
    area_a = np.prod(a[:, 2:] - a[:, :2], axis=1)
    area_b = np.prod(b[:, 2:] - b[:, :2], axis=1)
    union = area_a[:, None] + area_b[None] - inter
    iou: NDArray[np.float32] = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    return iou
