"""Which boxes become one: a walk over matching boxes, best box first, direct neighbours or whole chains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deploy.tiled.merging.overlap import Metric, overlap
from deploy.tiled.merging.pairs import MOST_CANDIDATES, Indices, matching_pairs, sweep

Row = tuple[int, Sequence[int]]


@dataclass(frozen=True)
class Ranked:
    """Boxes in the order in which they may claim others: by group, then best score first.

    ``boxes``: float32 (N, 4); ``scores``: float32 (N,); ``groups``: int64 (N,), ascending; ``origin``: int64
    (N,), each box's number before it was ranked.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    groups: Indices
    origin: Indices


@dataclass(frozen=True)
class Groups:
    """``keepers``: int64 (K,), ascending ranks. ``members``: int64 (M,), the ranks that the first keeper
    claimed in the order of claiming, then the second's and so on; ``counts``: int64 (K,)."""

    keepers: Indices
    members: Indices
    counts: Indices


def groups_of(ranked: Ranked, metric: Metric, threshold: float, *, chains: bool) -> Groups:
    """Walk the boxes best first; each that nobody claimed keeps itself and claims what matches it.

    Args:
        chains: a claimed box claims on for its keeper (non-maximum merging); otherwise only keepers claim
            (greedy merging, suppression). Only worse boxes, or copies of itself, can be claimed so.
    """
    taken = bytearray(len(ranked.boxes))
    swept = sweep(ranked.boxes, ranked.groups)
    rows: Iterable[Row]
    if swept.candidates <= MOST_CANDIDATES:
        rows = _listed(ranked, *matching_pairs(ranked.boxes, swept, metric, threshold), chains)
    else:
        rows = _asked(ranked, metric, threshold, taken, chains)
    return _walk(rows, taken, chains)


def _walk(rows: Iterable[Row], taken: bytearray, chains: bool) -> Groups:
    keeper_of: dict[int, int] = {}
    members: list[int] = []
    owners: list[int] = []
    for box, matches in rows:
        keeper = keeper_of.get(box, box)
        if keeper != box and not chains:
            continue
        for match in matches:
            if not taken[match]:
                taken[match] = 1
                keeper_of[match] = keeper
                members.append(match)
                owners.append(keeper)
    keepers = np.flatnonzero(np.frombuffer(taken, np.uint8) == 0)
    counts = np.bincount(np.asarray(owners, np.int64), minlength=len(taken))[keepers]
    order = np.argsort(np.asarray(owners, np.int64), kind="stable")
    return Groups(keepers, np.asarray(members, np.int64)[order], counts)


def _listed(ranked: Ranked, low: Indices, high: Indices, chains: bool) -> Iterator[Row]:
    """Every box with the worse boxes that match it, from all pairs."""
    count = len(ranked.boxes)
    second = high
    if chains:
        allowed = _claimable(ranked, low, high)
        low, second = low[allowed], ranked.origin[high[allowed]]
    keys = np.unique(low * count + second)
    rows, columns = keys // count, keys % count
    if chains:
        back = np.empty(count, np.int64)
        back[ranked.origin] = np.arange(count)
        columns = back[columns]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    flat = columns.tolist()
    edges = [*starts.tolist(), len(flat)]
    for box, (start, stop) in zip(rows[starts].tolist(), pairwise(edges), strict=True):
        yield box, flat[start:stop]


def _asked(ranked: Ranked, metric: Metric, threshold: float, taken: bytearray, chains: bool) -> Iterator[Row]:
    """The same rows, each computed when its turn comes against what is still free: for piles of boxes."""
    free = np.frombuffer(taken, np.uint8)
    ends = np.searchsorted(ranked.groups, ranked.groups, side="right")
    for box in range(len(taken)):
        if taken[box] and not chains:
            continue
        others = np.flatnonzero(free[box + 1 : ends[box]] == 0) + box + 1
        mine = np.broadcast_to(ranked.boxes[box], (len(others), 4))
        others = others[overlap(mine, ranked.boxes[others], metric) >= np.float32(threshold)]
        if chains:
            others = others[_claimable(ranked, np.full(len(others), box), others)]
            others = others[np.argsort(ranked.origin[others])]
        yield box, others.tolist()


def _claimable(ranked: Ranked, low: Indices, high: Indices) -> NDArray[np.bool_]:
    """Whether ``low`` may claim ``high``: a worse score, or the same score and the same box."""
    worse = ranked.scores[low] > ranked.scores[high]
    allowed: NDArray[np.bool_] = worse | (ranked.boxes[low] == ranked.boxes[high]).all(axis=1)
    return allowed
