"""Which side every picture goes to, decided before anything is cut: by camera and block of time."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from training.data.leaks.moments import Moment, blocks
from training.data.split import split_groups

Side = Literal["train", "valid", "aside"]

BLOCK_SECONDS, BLOCK_FRAMES = 600.0, 300
"""Length of the blocks of time that go to one side as a whole."""

GUARD_SECONDS, GUARD_FRAMES = 5.0, 10
"""Training pictures nearer than this to a held-out one of the same camera show nearly the same scene."""


@dataclass(frozen=True)
class Splitting:
    """How pictures are split. ``share``: of pictures held out, 0 for none; blocks and guards as above."""

    share: float = 0.2
    seed: int = 0
    block_seconds: float = BLOCK_SECONDS
    block_frames: int = BLOCK_FRAMES
    guard_seconds: float = GUARD_SECONDS
    guard_frames: float = GUARD_FRAMES


def sides_of(moments: Sequence[Moment], how: Splitting) -> tuple[Side, ...]:
    """The side of every picture; ``aside`` are training pictures too close in time to a held-out one.

    Raises:
        DeployError: ``SPLIT-EMPTY`` where all pictures are of one block.
    """
    if how.share == 0:
        return tuple("train" for _ in moments)
    groups = blocks(moments, how.block_seconds, how.block_frames)
    _, held = split_groups(groups, how.seed, how.share)
    out = set(held)
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for index in held:
        moment = moments[index]
        if moment.time is not None:
            times[moment.camera, moment.unit].append(moment.time)
    for each in times.values():
        each.sort()

    def side(index: int, moment: Moment) -> Side:
        if index in out:
            return "valid"
        return "aside" if _close(moment, times, how) else "train"

    return tuple(side(index, moment) for index, moment in enumerate(moments))


def _close(moment: Moment, times: dict[tuple[str, str], list[float]], how: Splitting) -> bool:
    there = times.get((moment.camera, moment.unit))
    if moment.time is None or not there:
        return False
    guard = how.guard_seconds if moment.unit == "seconds" else how.guard_frames
    place = bisect.bisect_left(there, moment.time - guard)
    return place < len(there) and there[place] <= moment.time + guard
