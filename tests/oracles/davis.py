"""J and F of DAVIS-2017 the plain way: whole pictures, numpy booleans, one dilation by a disk per boundary.

Written from the definitions in Perazzi et al. (CVPR 2016) and the boundary rule of the Berkeley
segmentation benchmark; it does the same amount of work as the public davis2017-evaluation code.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray


def region(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two bool (H, W) masks; 1 when both are empty."""
    void = np.zeros_like(mask)
    both = np.sum((mask & truth) & ~void)
    either = np.sum((mask | truth) & ~void)
    return 1.0 if either == 0 else float(both / either)


def boundary_pixels(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that differ from the right, lower or lower right neighbour (outside the picture: none asked)."""
    right, below, corner = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    right[:, :-1] = mask[:, 1:]
    below[:-1, :] = mask[1:, :]
    corner[:-1, :-1] = mask[1:, 1:]
    result = (mask != right) | (mask != below) | (mask != corner)
    result[-1, :] = mask[-1, :] != right[-1, :]
    result[:, -1] = mask[:, -1] != below[:, -1]
    result[-1, -1] = False
    return result


def disk(radius: int) -> NDArray[np.uint8]:
    """Structuring element of all offsets at most ``radius`` away, uint8 (2r + 1, 2r + 1)."""
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.uint8)


def boundary(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """F of two bool (H, W) masks at the DAVIS tolerance."""
    radius = int(np.ceil(0.008 * np.linalg.norm(mask.shape)))
    void = np.zeros_like(mask)
    ours, theirs = boundary_pixels(mask * ~void), boundary_pixels(truth * ~void)
    ours_wide = cv2.dilate(ours.astype(np.uint8), disk(radius))
    theirs_wide = cv2.dilate(theirs.astype(np.uint8), disk(radius))
    count_ours, count_theirs = np.sum(ours), np.sum(theirs)
    if count_ours == 0 and count_theirs == 0:
        return 1.0
    if count_ours == 0 or count_theirs == 0:
        return 0.0
    precision = np.sum(ours * theirs_wide) / float(count_ours)
    recall = np.sum(theirs * ours_wide) / float(count_theirs)
    return 0.0 if precision + recall == 0 else float(2 * precision * recall / (precision + recall))


def statistics(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, recall (share above 0.5) and decay (first of four bins minus the last) of per-frame values."""
    edges = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    bins = [values[start : stop + 1] for start, stop in itertools.pairwise(edges)]
    return float(np.mean(values)), float(np.mean(values > 0.5)), float(np.mean(bins[0]) - np.mean(bins[-1]))
