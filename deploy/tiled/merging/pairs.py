"""All pairs of boxes that match, without looking at every pair: bands of the picture, each swept along x."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deploy.tiled.merging.overlap import Metric, overlap

Indices = NDArray[np.int64]

MOST_CANDIDATES = 8_000_000
"""More candidate pairs than this are not listed: the boxes lie in piles, and most of them go at once."""

_AT_ONCE = 500_000


@dataclass(frozen=True)
class Sweep:
    """Entries of boxes in bands, sorted by band and left side.

    ``box``, ``band``: int64 (E,); ``counts``: int64 (E,), how many of the entries that follow one begin
    before it ends, in the same band.
    """

    box: Indices
    band: Indices
    counts: Indices

    @property
    def candidates(self) -> int:
        """Pairs that will be looked at."""
        return int(self.counts.sum())


def sweep(boxes: NDArray[np.float32], groups: Indices) -> Sweep:
    """Sort boxes into horizontal bands and count candidates.

    Args:
        boxes: float32 (N, 4) x1 y1 x2 y2.
        groups: int64 (N,); boxes of different groups never meet.

    A box stands in every band that it touches. Bands are as high as boxes are on average: in higher ones more
    strangers meet, in lower ones boxes stand in more bands.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    origin = float(boxes[:, 1].min())
    height = max(float(heights.mean()), 1e-3, (float(boxes[:, 3].max()) - origin) / (4 * len(boxes) + 16))
    first = ((boxes[:, 1] - origin) / height).astype(np.int64)
    last = ((boxes[:, 3] - origin) / height).astype(np.int64)
    spans = np.maximum(last - first, 0) + 1
    box = np.repeat(np.arange(len(boxes)), spans)
    band = first[box] + np.arange(len(box)) - np.repeat(np.cumsum(spans) - spans, spans)
    band += groups[box] * (int(last.max()) + 1)
    # Rounding a key never reorders, so what overlaps is never missed; strangers are sifted out later.
    left, right = (boxes[:, side].astype(np.float64) for side in (0, 2))
    width = float(right.max() - left.min()) + 1.0
    shift = band * width - left.min()
    keys, ends = left[box] + shift, right[box] + shift
    order = np.argsort(keys, kind="stable")
    stops = np.searchsorted(keys[order], ends[order], side="right")
    counts = np.maximum(stops - np.arange(len(order)) - 1, 0)
    return Sweep(box[order], band[order], counts)


def matching_pairs(
    boxes: NDArray[np.float32], swept: Sweep, metric: Metric, threshold: float
) -> tuple[Indices, Indices]:
    """The pairs (low, high) of box numbers, low < high, whose overlap is at least ``threshold``.

    Unsorted; a pair that shares two bands is listed twice.
    """
    ends = np.cumsum(swept.counts)
    parts = int(ends[-1]) // _AT_ONCE
    cuts = np.searchsorted(ends, np.arange(1, parts + 1) * _AT_ONCE) + 1
    edges = [0, *cuts.tolist(), len(ends)]
    found = [
        _matching(boxes, swept, slice(start, stop), metric, threshold)
        for start, stop in pairwise(edges)
        if stop > start
    ]
    one, two = (np.concatenate(side) for side in zip(*found, strict=True))
    return np.minimum(one, two), np.maximum(one, two)


def _matching(
    boxes: NDArray[np.float32], swept: Sweep, part: slice, metric: Metric, threshold: float
) -> tuple[Indices, Indices]:
    """The matching pairs whose first entry is in ``part``."""
    counts = swept.counts[part]
    ahead = np.repeat(np.arange(part.start, part.stop), counts)
    behind = np.arange(len(ahead)) - np.repeat(np.cumsum(counts) - counts, counts) + ahead + 1
    same = swept.band[ahead] == swept.band[behind]
    one, two = swept.box[ahead[same]], swept.box[behind[same]]
    top, bottom = np.maximum(boxes[one, 1], boxes[two, 1]), np.minimum(boxes[one, 3], boxes[two, 3])
    touching = (top < bottom) & (boxes[two, 0] < boxes[one, 2])
    one, two = one[touching], two[touching]
    close = overlap(boxes[one], boxes[two], metric) >= np.float32(threshold)
    return one[close], two[close]
