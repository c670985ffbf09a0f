"""Latency of one run from its raw samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deploy.statistics.latency import summarise_latency
from deploy.statistics.percentile import nearest_rank
from device_bench.figures import Figure
from device_bench.samples import Samples
from device_bench.score.model import LatencyScore

_CELLS = 20_000_000
MS = 1e-6


def score_latency(samples: Samples, seed: int) -> LatencyScore:
    """Percentiles by nearest rank; the median's interval is a moving-block one. At least one sample."""
    infer = summarise_latency(samples.infer_ns, replicates=_replicates(len(samples)), seed=seed)
    low, high = infer.median_interval.low, infer.median_interval.high
    known = not (math.isnan(low) or math.isnan(high))
    return LatencyScore(
        samples=infer.samples,
        p50=Figure(infer.p50_ns * MS, None, low * MS if known else None, high * MS if known else None),
        p90=Figure(infer.p90_ns * MS),
        p99=Figure(infer.p99_ns * MS),
        pre=_median(samples.pre_ns),
        post=_median(samples.post_ns),
        frame=_median(samples.total_ns),
        fps=Figure(1e9 / float(samples.total_ns.mean())),
        wall_over_cpu=_wall_over_cpu(samples),
        infer_ms=samples.infer_ns.astype(np.float64) * MS,
        t_s=samples.t_ns.astype(np.float64) * 1e-9,
        stages={name: _median(values) for name, values in samples.stages_ns.items()},
    )


def _replicates(samples: int) -> int:
    """1000 draws, fewer for very long runs, whose interval needs them least."""
    return int(np.clip(_CELLS // samples, 200, 1000))


def _median(values_ns: NDArray[np.int64]) -> Figure:
    return Figure(nearest_rank(values_ns, 50) * MS)


def _wall_over_cpu(samples: Samples) -> Figure:
    """Summed wall over summed CPU time of the inferences; above 1.1 they waited for a core."""
    cpu = 0 if samples.cpu_ns is None else int(samples.cpu_ns.sum())
    if cpu <= 0:
        return Figure.unknown("this platform gives no CPU time per inference")
    return Figure(float(samples.infer_ns.sum()) / cpu)
