"""How a clip's masks shake from frame to frame; raw series, which are never shown without mask quality."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.metrics.flow import ClipFlow
from deploy.metrics.regions import BOUNDARY_TOLERANCE, boundary_map, disk, region_similarity

HEIGHT = 1080
"""Lengths are given in pixels of a picture of this height, so that clips of any size compare."""

FARTHEST = 0.05 * HEIGHT
"""A contour that jumps farther than this (54 px, 5 % of the height) counts as having jumped this far."""


@dataclass(frozen=True)
class JitterSeries:
    """Per-frame jitter of T masks, float64; NaN where a frame has nothing to measure.

    ``temporal_iou`` and ``flip_rate``: (T - 1,), one for each pair of frames. The rest: (T - 2,), one for
    each inner frame: ``acceleration`` and ``acceleration_p95`` of the contour and ``centroid`` in pixels at
    1080p per frame squared, ``area`` as a share of the mean area per frame squared.
    """

    temporal_iou: NDArray[np.float64]
    flip_rate: NDArray[np.float64]
    acceleration: NDArray[np.float64]
    acceleration_p95: NDArray[np.float64]
    centroid: NDArray[np.float64]
    area: NDArray[np.float64]


def jitter_series(masks: NDArray[np.bool_], flow: ClipFlow) -> JitterSeries:
    """All jitter series of one clip.

    Args:
        masks: bool (T, H, W), consecutive.
        flow: of the source video of the same T frames.
    """
    if masks.ndim != 3 or len(flow) != len(masks) - 1 or flow.size != masks.shape[1:]:
        raise ValueError(f"{masks.shape} masks do not belong to {len(flow) + 1} frames of {flow.size}")
    mean, p95 = boundary_acceleration(masks)
    return JitterSeries(
        temporal_iou=temporal_iou(masks),
        flip_rate=flip_rates(masks, flow),
        acceleration=mean,
        acceleration_p95=p95,
        centroid=centroid_acceleration(masks),
        area=area_acceleration(masks),
    )


def temporal_iou(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of consecutive masks, (T - 1,), 0..1; two empty ones give 1.

    Blind to motion: masks that lag behind a moving object score better than the truth.
    """
    return np.array([region_similarity(a, b) for a, b in itertools.pairwise(masks)], np.float64)


def flip_rates(masks: NDArray[np.bool_], flow: ClipFlow) -> NDArray[np.float64]:
    """Share of the contour's surroundings that flips although the video did not move it, (T - 1,), 0..1.

    With W carrying mask t + 1 back along the flow, O the pixels the flow is consistent on, and B the pixels
    within DAVIS-2017's boundary tolerance of either contour::

        X = (m_t xor W(m_{t+1})) and O        flip rate = |X| / |(B and O) or X|

    It is ETC's and VSPW's warped consistency restricted to what both frames show, over the boundary band, so
    that a shaking edge weighs the same on small and large objects. X is in the denominator to bound it by 1:
    one lost object would otherwise outweigh a hundred frames. Two empty masks give 0.
    """
    return np.array(
        [
            _flip_rate(masks[t], flow.carried_back(masks[t + 1], t), flow.visible(t))
            for t in range(len(masks) - 1)
        ],
        np.float64,
    )


def boundary_acceleration(
    masks: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and 95th percentile of ``|a_t|`` along the contour of mask t, (T - 2,) each, px at 1080p.

    With d_t the signed distance to contour t (negative inside), at every pixel of contour t::

        a_t = d_{t+1} - 2 d_t + d_{t-1}

    A contour that moves evenly has none, one that steps to and fro by s pixels has 2 s. Distances are cut
    at ``FARTHEST``, so a frame without a mask is a jump of that size for its neighbours; the frame itself has
    no contour and is NaN.
    """
    distances = [_signed_distance(mask) for mask in masks]
    rows = [_acceleration(masks[t], *distances[t - 1 : t + 2]) for t in range(1, len(masks) - 1)]
    series = np.array(rows, np.float64).reshape(-1, 2)
    return series[:, 0], series[:, 1]


def centroid_acceleration(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Length of the second difference of the mask's centroid, (T - 2,), px at 1080p; NaN at empty masks."""
    _, centres = moments(masks)
    scaled = centres * (HEIGHT / masks.shape[1])
    return np.asarray(np.linalg.norm(scaled[2:] - 2 * scaled[1:-1] + scaled[:-2], axis=1), np.float64)


def area_acceleration(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Size of the second difference of the mask's area over its mean area, (T - 2,); NaN when never there."""
    areas, _ = moments(masks)
    mean = areas.mean() if len(areas) else 0.0
    return np.abs(areas[2:] - 2 * areas[1:-1] + areas[:-2]) / (mean if mean > 0 else math.nan)


def moments(masks: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas (T,) in pixels and centroids (T, 2), x and y, NaN at empty masks."""
    areas = np.zeros(len(masks))
    centres = np.full((len(masks), 2), np.nan)
    for index, mask in enumerate(masks):
        picture = np.ascontiguousarray(mask).view(np.uint8)
        columns, rows = (
            np.asarray(cv2.reduce(picture, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S), np.float64).ravel()
            for axis in (0, 1)
        )
        areas[index] = area = columns.sum()
        if area > 0:
            centres[index] = (columns @ np.arange(len(columns))) / area, (rows @ np.arange(len(rows))) / area
    return areas, centres


def _flip_rate(mask: NDArray[np.bool_], carried: NDArray[np.bool_], visible: NDArray[np.bool_]) -> float:
    flipped = (mask ^ carried) & visible
    contours = (boundary_map(mask) | boundary_map(carried)).view(np.uint8)
    radius = math.ceil(BOUNDARY_TOLERANCE * math.hypot(*mask.shape))
    x, y, w, h = cv2.boundingRect(contours)
    top, left = max(0, y - radius), max(0, x - radius)
    part = np.s_[top : y + h + radius, left : x + w + radius]
    band = np.zeros(mask.shape, np.bool_)
    if w and h:
        band[part] = np.asarray(cv2.dilate(contours[part], disk(radius)), np.uint8).view(np.bool_)
    around = np.count_nonzero((band & visible) | flipped)
    return float(np.count_nonzero(flipped) / around) if around else 0.0


def _acceleration(
    mask: NDArray[np.bool_],
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    after: NDArray[np.float32],
) -> tuple[float, float]:
    contour = boundary_map(mask)
    if not contour.any():
        return math.nan, math.nan
    size = np.abs(after[contour] - 2 * now[contour] + before[contour])
    return float(size.mean()), float(np.percentile(size, 95))


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the contour in px at 1080p, negative inside, cut at ``FARTHEST``; float32 (H, W)."""
    if not mask.any() or mask.all():
        return np.full(mask.shape, -FARTHEST if mask.any() else FARTHEST, np.float32)
    inside = np.ascontiguousarray(mask).view(np.uint8)
    within = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
    outside = np.asarray(cv2.distanceTransform(inside ^ 1, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
    # outside - 0.5 out there, 0.5 - within in here, where the other one is 0
    distance = np.subtract(outside, within, out=outside)
    distance += inside
    distance -= 0.5
    distance *= HEIGHT / mask.shape[0]
    return np.clip(distance, -FARTHEST, FARTHEST, out=distance)
