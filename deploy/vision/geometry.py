"""Where a picture lies in a model's input, and the way back to picture coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Geometry:
    """How a picture was placed in the model's input: input = picture * scale + offset, in pixels, per axis.

    ``picture``: (height, width) of the original; ``input``: (height, width) of the model's input;
    ``scale`` and ``offset``: (x, y)."""

    picture: tuple[int, int]
    input: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]


def to_picture_plane(
    plane: NDArray[np.float32], geometry: Geometry, window: tuple[int, int, int, int] | None = None
) -> NDArray[np.float32]:
    """Resample a map that covers the model's input, at any stride, to picture pixels (bilinear).

    Pixel centres are at half integers: picture x maps to ``((x + 0.5) * scale + offset) * w / input_w - 0.5``
    on the map, clamped to its edge (so padding is never mixed in beyond half a cell). Plain arithmetic, so
    that a phone can do exactly the same.

    Args:
        plane: float32 (h, w).
        geometry: how the picture was placed.
        window: (top, bottom, left, right) in picture pixels; the whole picture when ``None``.

    Returns:
        float32 (bottom - top, right - left).
    """
    height, width = geometry.picture
    top, bottom, left, right = window or (0, height, 0, width)
    low_y, high_y, weight_y = _taps(top, bottom, geometry, 1, plane.shape[0])
    low_x, high_x, weight_x = _taps(left, right, geometry, 0, plane.shape[1])
    rows = plane[low_y] + (plane[high_y] - plane[low_y]) * weight_y[:, None]
    first = rows[:, low_x]
    return first + (rows[:, high_x] - first) * weight_x


def _taps(
    start: int, stop: int, geometry: Geometry, axis: int, cells: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The two cells and the weight of the second for every pixel of one axis (0 is x, 1 is y)."""
    stride = cells / geometry.input[1 - axis]
    centres = (np.arange(start, stop) + 0.5) * geometry.scale[axis] + geometry.offset[axis]
    positions = np.clip(centres * stride - 0.5, 0, cells - 1)
    low = positions.astype(np.intp)
    return low, np.minimum(low + 1, cells - 1), (positions - low).astype(np.float32)


def to_picture(boxes: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Boxes (N, 4) x1 y1 x2 y2 in input pixels to picture pixels, clipped to the picture."""
    scale = np.asarray(geometry.scale * 2, np.float32)
    offset = np.asarray(geometry.offset * 2, np.float32)
    height, width = geometry.picture
    limit = np.asarray((width, height, width, height), np.float32)
    return np.clip((boxes - offset) / scale, 0, limit)
