"""Where a picture lies in a model's input, and the way back to picture coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Geometry:
    """How a picture was placed in the model's input: input = picture * scale + offset, in pixels, per axis.

    ``picture``: (height, width) of the original; ``input``: (height, width) of the model's input;
    ``scale`` and ``offset``: (x, y). ``placed``: (top, bottom, left, right) pixels of the input that hold
    picture content.
    """

    picture: tuple[int, int]
    input: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]
    placed: tuple[int, int, int, int]


def crop_placed(plane: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Cut padding off a map (h, w) that covers the model's input at any stride."""
    ratio_y = plane.shape[0] / geometry.input[0]
    ratio_x = plane.shape[1] / geometry.input[1]
    top, bottom, left, right = geometry.placed
    rows = slice(round(top * ratio_y), max(round(bottom * ratio_y), round(top * ratio_y) + 1))
    columns = slice(round(left * ratio_x), max(round(right * ratio_x), round(left * ratio_x) + 1))
    return plane[rows, columns]


def to_picture(boxes: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Boxes (N, 4) x1 y1 x2 y2 in input pixels to picture pixels, clipped to the picture."""
    scale = np.asarray(geometry.scale * 2, np.float32)
    offset = np.asarray(geometry.offset * 2, np.float32)
    height, width = geometry.picture
    limit = np.asarray((width, height, width, height), np.float32)
    return np.clip((boxes - offset) / scale, 0, limit)
