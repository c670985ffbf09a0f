"""Bootstrap weights and intervals: how far a figure would move if the samples were drawn again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_CELLS = 4_000_000
_FEWEST_BLOCKS = 20
_ALIKE = 0.1
_LAGS = 3


@dataclass(frozen=True)
class Interval:
    """Central interval of a figure's replicates; NaN where fewer than half of them could be computed."""

    low: float
    high: float
    confidence_percent: float = 95.0


def sample_weights(samples: int, replicates: int, seed: int) -> NDArray[np.int64]:
    """Paired bootstrap (Efron 1979): how often each sample is drawn when n are drawn with repetition.

    The same weights go to the reference and to the artifact, so what both find hard cancels in the drop.

    Returns:
        int64 (replicates, samples); every row sums to ``samples``.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((replicates, samples), np.int64)
    step = max(1, _CELLS // max(1, samples))
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        drawn = rng.integers(0, max(1, samples), (rows, samples)) + np.arange(rows)[:, None] * samples
        weights[start : start + rows] = np.bincount(drawn.ravel(), minlength=rows * samples).reshape(rows, -1)
    return weights


def whole_and_drawn(samples: int, replicates: int, seed: int) -> NDArray[np.int64]:
    """Row 0 counts every sample once, which gives the figure itself; then the rows of ``sample_weights``.

    Returns:
        int64 (1 + replicates, samples).
    """
    return np.concatenate([np.ones((1, samples), np.int64), sample_weights(samples, replicates, seed)])


def block_indices(samples: int, block: int, replicates: int, seed: int) -> NDArray[np.int64]:
    """Moving-block bootstrap (Kuensch 1989): runs of ``block`` neighbours are drawn together.

    Args:
        samples: length n of the series.
        block: neighbours drawn together; 1 is the plain bootstrap.
        replicates: number of series to draw.
        seed: seed of the draw.

    Returns:
        int64 (replicates, samples), indices into the series; the last block is cut to fit.
    """
    block = max(1, min(block, samples))
    count = math.ceil(samples / block)
    starts = np.random.default_rng(seed).integers(0, samples - block + 1, (replicates, count))
    runs = starts[:, :, None] + np.arange(block)
    return runs.reshape(replicates, -1)[:, :samples]


def block_length(values: NDArray[np.float64]) -> int:
    """Neighbours to keep together: three times the first lag whose autocorrelation is below 0.1.

    Once that lag, blocks were measured to cover only 77 % (of 95) on a series with autocorrelation 0.9. At
    most a twentieth of the series: with fewer blocks the interval itself is too narrow.

    Args:
        values: float64 (n,), in time order.
    """
    count = len(values)
    most = max(1, count // _FEWEST_BLOCKS)
    centred = values - values.mean() if count else values
    power = float(centred @ centred)
    lag = 1
    while power > 0 and lag < most and float(centred[lag:] @ centred[:-lag]) / power >= _ALIKE:
        lag += 1
    return min(lag if lag == 1 else _LAGS * lag, most)


def known(value: float) -> float | None:
    """A figure as documents hold it: null where it is NaN, for there was nothing to measure."""
    return None if math.isnan(value) else value


def interval(replicates: NDArray[np.float64], confidence_percent: float = 95.0) -> Interval:
    """Percentile interval (Efron and Tibshirani 1993, chapter 13) of a figure's replicates.

    Args:
        replicates: float64 (R,). NaN marks one that had nothing to measure; those are left out, but more
            than half of them make the interval NaN.
        confidence_percent: share of the replicates inside, above 0 and below 100.
    """
    if not 0 < confidence_percent < 100:
        raise ValueError(f"a confidence lies between 0 and 100 percent, not {confidence_percent}")
    usable = replicates[~np.isnan(replicates)]
    if len(usable) * 2 < len(replicates) or len(usable) == 0:
        return Interval(math.nan, math.nan, confidence_percent)
    tail = (100 - confidence_percent) / 2
    low, high = np.percentile(usable, [tail, 100 - tail])
    return Interval(float(low), float(high), confidence_percent)


def block_interval(
    values: NDArray[np.float64],
    statistic: Literal["mean", "median"] = "median",
    *,
    block: int | None = None,
    replicates: int = 1000,
    seed: int = 0,
    confidence_percent: float = 95.0,
) -> Interval:
    """Moving-block interval of the mean or median of a series in time order.

    Args:
        values: float64 (n,), without NaN.
        statistic: ``"mean"`` or ``"median"``.
        block: neighbours kept together; ``None`` takes ``block_length``.
        replicates: number of series drawn.
        seed: seed of the draw.
        confidence_percent: as in ``interval``.
    """
    if len(values) == 0:
        return Interval(math.nan, math.nan, confidence_percent)
    block = block_length(values) if block is None else block
    step = max(1, _CELLS // len(values))
    parts = []
    for part, start in enumerate(range(0, replicates, step)):
        rows = min(step, replicates - start)
        drawn = values[block_indices(len(values), block, rows, seed + 7919 * part)]
        parts.append(np.mean(drawn, axis=1) if statistic == "mean" else np.median(drawn, axis=1))
    return interval(np.concatenate(parts), confidence_percent)
