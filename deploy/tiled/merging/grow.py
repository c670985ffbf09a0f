"""Boxes that grow by what they claim, member after member, asking each time whether it still matches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.tiled.merging.groups import Groups, Ranked
from deploy.tiled.merging.overlap import Metric, overlap
from deploy.tiled.merging.pairs import Indices


def grow(
    ranked: Ranked, classes: NDArray[np.int64], groups: Groups, metric: Metric, threshold: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The keepers' boxes, float32 (K, 4), and classes, int64 (K,), after they took their members in.

    A member is taken in where it matches the box as grown so far (in double precision, as sahi asks it); the
    box then becomes the smallest one around both. A member with the keeper's own score brings its class.
    Keepers with many members are few: members are taken in rounds, one of every keeper at a time.

    Args:
        ranked: all boxes.
        classes: int64 (N,), in the same order.
        groups: keepers and members, by rank.
    """
    boxes = ranked.boxes.astype(np.float64)
    grown, named = boxes[groups.keepers], classes[groups.keepers]
    first = np.cumsum(groups.counts) - groups.counts
    order = np.argsort(-groups.counts, kind="stable")
    shrinking = groups.counts[order]
    for turn in range(int(groups.counts.max(initial=0))):
        hungry = order[: np.searchsorted(-shrinking, -turn)]
        member = groups.members[first[hungry] + turn]
        matched = _still_match(grown[hungry], boxes[member], metric, threshold)
        _take_in(grown, boxes, hungry[matched], member[matched])
        tied = matched & (ranked.scores[member] == ranked.scores[groups.keepers[hungry]])
        named[hungry[tied]] = classes[member[tied]]
    return grown.astype(np.float32), named


def _still_match(
    grown: NDArray[np.float64], member: NDArray[np.float64], metric: Metric, threshold: float
) -> NDArray[np.bool_]:
    matched: NDArray[np.bool_] = overlap(grown, member, metric) >= threshold
    return matched


def _take_in(
    grown: NDArray[np.float64], boxes: NDArray[np.float64], keepers: Indices, member: Indices
) -> None:
    grown[keepers, :2] = np.minimum(grown[keepers, :2], boxes[member, :2])
    grown[keepers, 2:] = np.maximum(grown[keepers, 2:], boxes[member, 2:])
