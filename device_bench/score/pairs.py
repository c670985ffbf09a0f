"""An interleaved comparison from its raw pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deploy.statistics.percentile import nearest_rank
from deploy.statistics.ratio import paired_ratio
from device_bench.comparison import Comparison
from device_bench.figures import Figure
from device_bench.score.model import ComparisonScore


def score_comparison(comparison: Comparison, folder: Path, seed: int) -> ComparisonScore:
    """Median of pair ratios, B over A, with a bootstrap interval; below 1 means B is faster."""
    a, b = np.array(comparison.a_wall_ns, np.float64), np.array(comparison.b_wall_ns, np.float64)
    return ComparisonScore(
        folder=folder,
        comparison=comparison,
        ratio=_ratio(comparison.b_wall_ns, comparison.a_wall_ns, seed),
        cpu_ratio=_ratio(comparison.b_cpu_ns, comparison.a_cpu_ns, seed),
        a_ms=Figure(nearest_rank(a, 50) * 1e-6),
        b_ms=Figure(nearest_rank(b, 50) * 1e-6),
        ratios=b / a,
    )


def _ratio(new: tuple[int, ...], old: tuple[int, ...], seed: int) -> Figure:
    if min(new) <= 0 or min(old) <= 0:
        return Figure.unknown("the clock is too coarse for this model")
    found = paired_ratio(new, old, seed=seed)
    return Figure(found.ratio, None, found.low, found.high)
