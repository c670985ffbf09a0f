"""Region overlap J and boundary accuracy F of binary masks, with exactly DAVIS-2017's values."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

BOUNDARY_TOLERANCE = 0.008
"""Share of the picture's diagonal a boundary may be off and still count (DAVIS-2017, ``bound_th``)."""

RECALL_THRESHOLD = 0.5
"""A frame counts for recall when its value is above this (DAVIS-2017, ``db_statistics``)."""

_DECAY_BINS = 4
_WINDOW_BUDGET = 16  # windows of this many bytes per pixel of the crop cost as much as a distance transform


@dataclass(frozen=True)
class SequenceStatistics:
    """``mean``; ``recall``: share of frames above 0.5; ``decay``: first quarter's mean minus the last's."""

    mean: float
    recall: float
    decay: float


def region_similarity(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Region similarity J: intersection over union (Perazzi et al., CVPR 2016, section 5.1).

    Args:
        mask: bool (H, W).
        truth: bool (H, W).

    Returns:
        0..1; two empty masks give 1.
    """
    first, second = _bytes(mask), _bytes(truth)
    union = cv2.countNonZero(cv2.bitwise_or(first, second))
    return cv2.countNonZero(cv2.bitwise_and(first, second)) / union if union else 1.0


def boundary_accuracy(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], tolerance: float = BOUNDARY_TOLERANCE
) -> float:
    """Boundary accuracy F: harmonic mean of contour precision and recall (``db_eval_boundary``).

    Args:
        mask: bool (H, W).
        truth: bool (H, W).
        tolerance: share of the diagonal; the radius is ``ceil(tolerance * diagonal)`` pixels.

    Returns:
        0..1; two masks without a boundary give 1.
    """
    return region_and_boundary(mask, truth, tolerance)[1]


def region_and_boundary(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], tolerance: float = BOUNDARY_TOLERANCE
) -> tuple[float, float]:
    """(J, F) of one frame.

    All work happens inside the two masks' common bounding box, and the disk dilation of the official code
    is replaced by exact distances: a pixel lies in the dilation of a boundary by a disk of radius r exactly
    when its distance to that boundary is at most r.
    """
    _same_shape(mask, truth)
    height, width = mask.shape
    first, second = _bytes(mask), _bytes(truth)
    x, y, w, h = cv2.boundingRect(cv2.bitwise_or(first, second))
    if w == 0 or h == 0:
        return 1.0, 1.0
    # boundary pixels lie half a pixel towards the origin, so one row and column more is needed there; the
    # row and column after the box are background, which the boundary rule reads
    top, left, bottom, right = max(y - 1, 0), max(x - 1, 0), min(y + h + 1, height), min(x + w + 1, width)
    first, second = first[top:bottom, left:right], second[top:bottom, left:right]
    union = cv2.countNonZero(cv2.bitwise_or(first, second))
    overlap = cv2.countNonZero(cv2.bitwise_and(first, second)) / union
    ends = bottom == height, right == width
    radius = math.ceil(tolerance * math.hypot(height, width))
    return overlap, _f_measure(_boundary(first, *ends), _boundary(second, *ends), radius)


def boundary_map(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One-pixel boundaries by the ``seg2bmap`` rule (D. Martin, Berkeley segmentation benchmark, 2003).

    A pixel is boundary when it differs from its right, lower or lower right neighbour; in the last row only
    the right one is asked, in the last column only the lower one, and the last corner is never boundary.

    Args:
        mask: bool (H, W).

    Returns:
        bool (H, W).
    """
    return _boundary(_bytes(mask), True, True).astype(np.bool_)


def sequence_statistics(values: NDArray[np.float64]) -> SequenceStatistics:
    """Mean, recall and decay of per-frame values (float64, T), as DAVIS-2017's ``db_statistics``.

    Decay splits the frames into four bins that share their end frames. The official code keeps bin ends in
    8 bits, which is wrong beyond 256 frames; here they are integers, equal up to 256 frames.
    """
    if len(values) == 0:
        return SequenceStatistics(math.nan, math.nan, math.nan)
    ends = (np.round(np.linspace(1, len(values), _DECAY_BINS + 1) + 1e-10) - 1).astype(np.int64)
    first, last = values[: ends[1] + 1], values[ends[-2] : ends[-1] + 1]
    return SequenceStatistics(
        mean=float(np.mean(values)),
        recall=float(np.mean(values > RECALL_THRESHOLD)),
        decay=float(np.mean(first) - np.mean(last)),
    )


def _f_measure(first: NDArray[np.uint8], second: NDArray[np.uint8], radius: int) -> float:
    count_first, count_second = cv2.countNonZero(first), cv2.countNonZero(second)
    if count_first == 0 or count_second == 0:
        return 1.0 if count_first == count_second else 0.0
    precision = _within(first, second, radius) / count_first
    recall = _within(second, first, radius) / count_second
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _within(points: NDArray[np.uint8], target: NDArray[np.uint8], radius: int) -> int:
    """How many set pixels of ``points`` are at most ``radius`` pixels from a set pixel of ``target``.

    Squares decide most pixels, by sums over an integral image: one inscribed in the disk accepts, one
    around it rejects. Only the pixels between the two are looked at closely.
    """
    rows, columns = np.divmod(np.flatnonzero(points.view(np.bool_)), points.shape[1])
    framed = np.asarray(cv2.copyMakeBorder(target, *(radius,) * 4, cv2.BORDER_CONSTANT), dtype=np.uint8)
    sums = np.asarray(cv2.integral(framed), dtype=np.int32)
    accepted = _in_square(sums, rows, columns, radius, math.isqrt(radius * radius // 2))
    undecided = ~accepted & _in_square(sums, rows, columns, radius, radius)
    count, left = int(np.count_nonzero(accepted)), int(np.count_nonzero(undecided))
    if left == 0:
        return count
    rows, columns = rows[undecided], columns[undecided]
    side = 2 * radius + 1
    if left * side**2 > _WINDOW_BUDGET * points.size:
        return count + _within_by_distance(rows, columns, target, radius)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (side, side))
    return count + int(np.count_nonzero((windows[rows, columns] & disk(radius)).any(axis=(1, 2))))


def _in_square(
    sums: NDArray[np.int32], rows: NDArray[np.int64], columns: NDArray[np.int64], radius: int, reach: int
) -> NDArray[np.bool_]:
    """Whether a square that reaches ``reach`` each way around a point holds a set pixel.

    ``sums`` is the integral image of a picture framed by ``radius`` pixels; points are unframed.
    """
    low, high = radius - reach, radius + reach + 1
    width = sums.shape[1]
    flat = sums.ravel()
    corner = (rows + low) * width + (columns + low)
    step, drop = high - low, (high - low) * width
    inside = flat[corner + drop + step] - flat[corner + drop] - flat[corner + step] + flat[corner]
    return inside > 0  # type: ignore[no-any-return]


def _within_by_distance(
    rows: NDArray[np.int64], columns: NDArray[np.int64], target: NDArray[np.uint8], radius: int
) -> int:
    """``_within`` by an exact distance transform; its cost does not depend on how many points are asked."""
    distance = cv2.distanceTransform(target ^ 1, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # squared distances are integers, so the next one above radius is more than half a step away
    return int(np.count_nonzero(distance[rows, columns] <= math.sqrt(radius * radius + 0.5)))


@functools.cache
def disk(radius: int) -> NDArray[np.uint8]:
    """All offsets at most ``radius`` away, uint8 (2r + 1, 2r + 1)."""
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.uint8)


def _boundary(mask: NDArray[np.uint8], last_row: bool, last_column: bool) -> NDArray[np.uint8]:
    """``seg2bmap`` of a crop, 0/1 uint8; the flags say whether the crop ends where the picture ends."""
    result = np.zeros(mask.shape, np.uint8)
    if min(mask.shape) > 1:
        result[:-1, :-1] = _inner_boundary(mask)
    if last_row:
        result[-1, :-1] = mask[-1, :-1] ^ mask[-1, 1:]
    if last_column:
        result[:-1, -1] = mask[:-1, -1] ^ mask[1:, -1]
    return result


def _inner_boundary(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where a pixel differs from its right, lower or lower right neighbour, uint8 (H - 1, W - 1)."""
    inner = mask[:-1, :-1]
    edge = cv2.bitwise_xor(inner, mask[:-1, 1:])
    cv2.bitwise_or(edge, cv2.bitwise_xor(inner, mask[1:, :-1]), dst=edge)
    cv2.bitwise_or(edge, cv2.bitwise_xor(inner, mask[1:, 1:]), dst=edge)
    return edge  # type: ignore[return-value]


def _bytes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A 0/1 uint8 view of a bool mask, without a copy where its memory allows."""
    return np.ascontiguousarray(mask, dtype=np.bool_).view(np.uint8)


def _same_shape(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
    if mask.ndim != 2 or mask.shape != truth.shape:
        raise ValueError(f"masks must be two pictures of one size, not {mask.shape} and {truth.shape}")
