"""Outlines cut by a tile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clip_outline(
    points: NDArray[np.float64], window: tuple[int, int, int, int]
) -> NDArray[np.float64] | None:
    """What a window shows of a polygon, by Sutherland and Hodgman (1974); ``None`` where it shows nothing.

    A polygon that enters the window several times stays one, whose parts are joined along the window's
    edge by lines without area.

    Args:
        points: float64 (P, 2), x y in picture pixels.
        window: x1 y1 x2 y2 in picture pixels.

    Returns:
        float64 (Q, 2), in picture pixels.
    """
    for axis, limit, side in ((0, window[0], 1), (1, window[1], 1), (0, window[2], -1), (1, window[3], -1)):
        points = _half_plane(points, axis, float(limit), side)
        if len(points) < 3:
            return None
    return points


def _half_plane(points: NDArray[np.float64], axis: int, limit: float, side: int) -> NDArray[np.float64]:
    """The part of a polygon on one side of a line that is parallel to an axis."""
    inside = side * (points[:, axis] - limit) >= 0
    if inside.all():
        return points
    kept: list[NDArray[np.float64]] = []
    before, was_inside = points[-1], bool(inside[-1])
    for point, is_inside in zip(points, inside.tolist(), strict=True):
        if is_inside != was_inside:
            share = (limit - before[axis]) / (point[axis] - before[axis])
            crossing = before + share * (point - before)
            crossing[axis] = limit
            kept.append(crossing)
        if is_inside:
            kept.append(point)
        before, was_inside = point, is_inside
    return np.array(kept).reshape(-1, 2)
