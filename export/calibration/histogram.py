"""Watch tensors over calibration samples: exact extremes and a histogram of each, in one pass."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 4096
_MOST_VALUES = 65_536


@dataclass
class Histogram:
    """Values of one tensor so far. ``counts``: int64 (BINS,) over ``[-reach, reach)``; extremes are exact."""

    low: float = float("inf")
    high: float = float("-inf")
    reach: float = 0.0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: NDArray[np.float32]) -> None:
        """Count ``values`` (any shape); of a large tensor an even spread of 65,536 values is counted."""
        if values.size == 0:
            return
        flat = values.reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self._reach_to(max(-self.low, self.high))
        if flat.size > _MOST_VALUES:
            flat = flat[:: -(-flat.size // _MOST_VALUES)]
        if self.reach > 0:
            places = ((flat + self.reach) * (BINS / (2 * self.reach))).astype(np.int64)
            self.counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)

    def _reach_to(self, largest: float) -> None:
        """Double the span, merging pairs of bins, until it holds ``largest``: nothing counted is lost."""
        if self.reach == 0.0 and largest > 0.0:
            self.reach = largest
        while largest > self.reach:
            merged = np.zeros_like(self.counts)
            merged[BINS // 4 : 3 * BINS // 4] = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts, self.reach = merged, self.reach * 2


class Observer:
    """Histograms of every tensor by name, kept as they were after each of the given numbers of samples.

    Args:
        checkpoints: numbers of samples to keep the state at, for example 16 and 64.
    """

    def __init__(self, checkpoints: Iterable[int]) -> None:
        self._checkpoints = frozenset(checkpoints)
        self._now: dict[str, Histogram] = {}
        self._kept: dict[int, dict[str, Histogram]] = {}
        self._samples = 0

    def watch(self, name: str, values: NDArray[np.float32]) -> None:
        """Count one tensor of the current sample."""
        self._now.setdefault(name, Histogram()).add(values)

    def next_sample(self) -> None:
        """Say that a sample is complete."""
        self._samples += 1
        if self._samples in self._checkpoints:
            self._kept[self._samples] = copy.deepcopy(self._now)

    def after(self, samples: int) -> dict[str, Histogram]:
        """The histograms as they were after ``samples`` samples, which must be a checkpoint."""
        return self._kept[samples]
