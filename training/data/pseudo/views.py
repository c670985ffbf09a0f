"""One picture seen several times: mirrored and at other sizes, the boxes of all views put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.nms import box_iou
from deploy.decode.predictions import InstancePrediction
from deploy.tiled.raw import RawDetections, joined

Look = Callable[[NDArray[np.uint8]], RawDetections]
"""A picture, uint8 (H, W, 3) RGB, to all boxes in it."""

_SAME = 0.5


@dataclass(frozen=True)
class View:
    """A way of showing a picture: at ``scale`` times its size, mirrored left to right or not."""

    scale: float = 1.0
    flip: bool = False


def views_of(flip: bool, scales: Sequence[float]) -> tuple[View, ...]:
    """The picture as it is, at every other scale, and each of those mirrored."""
    sizes = dict.fromkeys((1.0, *scales))
    return tuple(
        View(scale, mirrored) for scale in sizes for mirrored in ((False, True) if flip else (False,))
    )


def look_at(image: NDArray[np.uint8], look: Look, views: Sequence[View]) -> tuple[RawDetections, ...]:
    """What ``look`` finds in every view, in the coordinates of the picture as it is."""
    return tuple(_back(look(_shown(image, view)), view, image.shape) for view in views)


def together(seen: Sequence[RawDetections]) -> RawDetections:
    """The boxes of all views; merging them is the tiling's business, as for tiles."""
    return joined(seen)


def votes(found: InstancePrediction, seen: Sequence[RawDetections], least: float) -> NDArray[np.int64]:
    """In how many views each object was found: same class, IoU of at least a half, score of at least
    ``least``.

    Returns:
        int64 (N,).
    """
    count = np.zeros(len(found.boxes), np.int64)
    for each in seen:
        there = each.above(least)
        same = found.classes[:, None] == there.classes[None]
        count += ((box_iou(found.boxes, there.boxes) >= _SAME) & same).any(axis=1)
    return count


def _shown(image: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    if view.scale != 1.0:
        height, width = image.shape[:2]
        size = (max(1, round(width * view.scale)), max(1, round(height * view.scale)))
        way = cv2.INTER_AREA if view.scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=way)  # type: ignore[assignment]
    return np.ascontiguousarray(image[:, ::-1]) if view.flip else image


def _back(found: RawDetections, view: View, shape: tuple[int, ...]) -> RawDetections:
    """Boxes of a view in the picture's own coordinates."""
    height, width = shape[:2]
    boxes = found.boxes
    if view.flip:
        boxes = boxes.copy()
        boxes[:, [0, 2]] = found.size[1] - found.boxes[:, [2, 0]]
    if view.scale != 1.0:
        ratio = np.array((width / found.size[1], height / found.size[0]) * 2, np.float32)
        boxes = boxes * ratio
    return replace(found, boxes=boxes, size=(height, width))
