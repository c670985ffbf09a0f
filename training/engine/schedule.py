"""Learning rates as pure functions of the step, so that a resumed run cannot drift."""

from __future__ import annotations

import math


def learning_rate(step: int, total: int, peak: float, warmup: float = 0.05, floor: float = 0.001) -> float:
    """Linear warm-up, then a half cosine down (SGDR without restarts, Loshchilov and Hutter 2017).

    Args:
        step: number of the step, from 0.
        total: steps of the whole run.
        peak: the highest rate.
        warmup: share of the run spent rising.
        floor: the last rate as a share of ``peak``.
    """
    if not 0 <= step < total:
        raise ValueError(f"step {step} is outside a run of {total} steps")
    rising = max(1, round(total * warmup))
    if step < rising:
        return peak * (step + 1) / rising
    share = (step - rising + 1) / max(1, total - rising)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share)))
