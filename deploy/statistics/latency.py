"""Latency of one run in the figures people compare, from raw samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from deploy.statistics.bootstrap import Interval, block_interval, block_length
from deploy.statistics.percentile import nearest_rank


@dataclass(frozen=True)
class LatencySummary:
    """Latency in nanoseconds; percentiles by nearest rank, so below 100 samples ``p99_ns`` is the maximum.

    ``fps`` is frames per second of calls made back to back: 1e9 over the mean. ``median_interval`` is a
    moving-block interval of the median: neighbouring calls share clocks and heat, so a plain one is too
    narrow. It speaks for this run only; runs differ from each other by more.
    """

    samples: int
    min_ns: int
    mean_ns: float
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int
    fps: float
    median_interval: Interval
    block: int


def summarise_latency(
    latencies_ns: ArrayLike,
    *,
    replicates: int = 1000,
    seed: int = 0,
    confidence_percent: float = 95.0,
) -> LatencySummary:
    """Summarise latencies in time order.

    Args:
        latencies_ns: (n,) integer nanoseconds, at least one. Pass the sum of the stages for the rate of the
            whole pipeline, or the inference stage alone.
        replicates: bootstrap draws of the interval.
        seed: seed of the draws.
        confidence_percent: of the interval.
    """
    values = np.asarray(latencies_ns, np.float64).ravel()
    if len(values) == 0:
        raise ValueError("a latency summary needs at least one sample")
    mean = float(values.mean())
    block = block_length(values)
    return LatencySummary(
        samples=len(values),
        min_ns=int(values.min()),
        mean_ns=mean,
        p50_ns=int(nearest_rank(values, 50)),
        p90_ns=int(nearest_rank(values, 90)),
        p99_ns=int(nearest_rank(values, 99)),
        max_ns=int(values.max()),
        fps=1e9 / mean if mean > 0 else float("inf"),
        median_interval=block_interval(
            values,
            "median",
            block=block,
            replicates=replicates,
            seed=seed,
            confidence_percent=confidence_percent,
        ),
        block=block,
    )
