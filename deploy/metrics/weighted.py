"""Means under many sets of integer sample weights at once: what a bootstrap asks of every metric."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def weighted_means(values: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of the samples that count, once per set of weights.

    Args:
        values: float64 (N,); NaN marks a sample that does not count (outside a slice).
        weights: int64 (R, N), how often each sample counts.

    Returns:
        float64 (R,); NaN where the samples that count have no weight.
    """
    counts = ~np.isnan(values)
    if not counts.any():
        return np.full(len(weights), np.nan)
    taken = weights[:, counts].astype(np.float64)
    total = taken.sum(axis=1)
    result = np.full(len(weights), np.nan)
    np.divide(taken @ values[counts], total, out=result, where=total > 0)
    return result
