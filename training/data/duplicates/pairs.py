"""All pairs of 64-bit hashes that differ in few bits, by the pigeonhole principle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_PAIRS = 4_000_000
"""Where more pairs are alike (a camera that sees the same all day), only the nearest in order are listed."""


def close_pairs(hashes: NDArray[np.uint64], distance: int, most: int = MOST_PAIRS) -> NDArray[np.int64]:
    """Indices (i, j), i < j, of hashes that differ in at most ``distance`` bits: int64 (P, 2), sorted.

    Two hashes that differ in at most d bits agree on one of d + 1 bands of bits. So each band is sorted, and
    only neighbours of equal bands are compared, first the next one, then the one after that, and so on.

    Args:
        hashes: uint64 (N,).
        distance: from 0 to 15 bits.
        most: stop a band's search after this many pairs.
    """
    if not 0 <= distance <= 15:
        raise ValueError(f"a distance of {distance} bits leaves no band to agree on")
    found = [_in_band(hashes, low, high, distance, most) for low, high in _bands(distance + 1)]
    keys = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
    return np.stack(np.divmod(keys, max(len(hashes), 1)), axis=1)


def _bands(count: int) -> list[tuple[int, int]]:
    """``count`` bands of 64 bits, as even as can be: first bit and one past the last."""
    edges = [round(64 * index / count) for index in range(count + 1)]
    return list(pairwise(edges))


def _in_band(hashes: NDArray[np.uint64], low: int, high: int, distance: int, most: int) -> NDArray[np.int64]:
    """Pairs that agree on the bits ``low`` to ``high``, each as ``i * N + j``."""
    band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
    order = np.argsort(band, kind="stable")
    band, here = band[order], hashes[order]
    last = np.searchsorted(band, band, side="right")  # one past the end of each one's bucket
    rows = np.arange(len(band))
    found: list[NDArray[np.int64]] = []
    total, step = 0, 1
    while total < most:
        rows = rows[rows + step < last[rows]]
        if not rows.size:
            break
        near = rows[np.bitwise_count(here[rows] ^ here[rows + step]) <= distance]
        one, other = order[near], order[near + step]
        found.append(np.minimum(one, other) * len(hashes) + np.maximum(one, other))
        total += len(near)
        step += 1
    return np.concatenate([np.zeros(0, np.int64), *found])
