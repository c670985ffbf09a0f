"""Learning rates as pure functions of the step, so that a resumed run cannot drift."""

from __future__ import annotations

import math
from collections.abc import Sequence

from training.settings import Leg


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


def rate_in_legs(step: int, legs: Sequence[Leg], epoch_steps: int, peak: float) -> float:
    """The rate of a run that may have been extended: every leg warms up and comes down on its own.

    A cosine cannot be continued past its end: its rate there is nearly nothing, and to stretch it over more
    epochs would pretend that the past had been another. An extension is a warm restart (SGDR) instead, from
    half the peak, and the past stays as it was.

    Args:
        step: number of the step, from 0.
        legs: stretches in order; the last one that has begun counts.
        epoch_steps: steps of an epoch.
        peak: the run's highest rate.
    """
    leg = [each for each in legs if each.start * epoch_steps <= step][-1]
    return learning_rate(step - leg.start * epoch_steps, leg.epochs * epoch_steps, peak * leg.peak)
