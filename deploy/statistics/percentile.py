"""Percentiles by two stated rules: nearest rank, which never invents a value, and linear interpolation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def nearest_rank(values: ArrayLike, percent: float) -> float:
    """The sample of rank ``ceil(n * percent / 100)`` when sorted, counted from 1.

    Always one of the samples, so a tail figure (p99) is something that really happened; below 100 samples,
    p99 is the maximum. The rank is taken in exact decimals, so that p7 of 100 samples is the 7th.

    Args:
        values: (n,) numbers, at least one.
        percent: above 0, up to 100.
    """
    samples = _samples(values)
    if not 0 < percent <= 100:
        raise ValueError(f"nearest rank is defined above 0 up to 100 percent, not {percent}")
    rank = max(1, math.ceil(round(len(samples) * percent / 100, 9)))
    return float(np.partition(samples, rank - 1)[rank - 1])


def linear(values: ArrayLike, percent: float) -> float:
    """Linear interpolation between samples (Hyndman and Fan 1996, type 7; numpy's and AndroidX's rule).

    Args:
        values: (n,) numbers, at least one.
        percent: 0 to 100.
    """
    return float(np.percentile(_samples(values), percent))


def _samples(values: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    samples = np.asarray(values, np.float64).ravel()
    if samples.size == 0 or np.isnan(samples).any():
        raise ValueError("a percentile needs at least one sample, and none of them NaN")
    return samples
