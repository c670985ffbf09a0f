"""Whether a rung is better than the one below: paired differences over seeds, with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.ladder.plan import LadderPlan

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Difference:
    """A figure's mean change over seeds with its 95 % interval; ``None`` where a run had no such figure."""

    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Judgement:
    """One rung. ``verdict``: ``baseline``, ``promotable``, ``no better`` (it cannot be told apart, or is
    worse), or ``worse at FIGURE``."""

    name: str
    against: str | None
    figures: dict[str, float | None]
    differences: dict[str, Difference]
    verdict: str

    @property
    def promotable(self) -> bool:
        """True when the rungs above stand on this one."""
        return self.verdict in ("baseline", "promotable")


def paired(new: Sequence[float | None], old: Sequence[float | None]) -> Difference:
    """Mean difference of runs with the same seed and Student's 95 % interval of it.

    Args:
        new: a figure of each seed's run.
        old: the same of the rung below, seed by seed.
    """
    if any(value is None for value in (*new, *old)):
        return Difference(None)
    from scipy.stats import t

    apart = np.asarray(new, np.float64) - np.asarray(old, np.float64)
    mean, count = float(apart.mean()), len(apart)
    reach = float(t.ppf(0.975, count - 1)) * float(apart.std(ddof=1)) / math.sqrt(count)
    return Difference(mean, mean - reach, mean + reach)


def judge(
    plan: LadderPlan,
    name: str,
    runs: Sequence[Figures],
    below: tuple[str, Sequence[Figures]] | None,
) -> Judgement:
    """Judge a rung.

    Args:
        plan: which figure has to rise and which must not fall.
        name: the rung.
        runs: figures of its runs, one a seed.
        below: name and runs of the last promotable rung; ``None`` for the baseline.
    """
    shown = list(dict.fromkeys((plan.primary, *plan.guards)))
    figures = {figure: _mean([run.get(figure) for run in runs]) for figure in shown}
    if below is None:
        return Judgement(name, None, figures, {}, "baseline")
    differences = {
        figure: paired([run.get(figure) for run in runs], [run.get(figure) for run in below[1]])
        for figure in shown
    }
    rise = differences[plan.primary].low
    fallen = [figure for figure in plan.guards if (high := differences[figure].high) is not None and high < 0]
    verdict = "promotable"
    if rise is None or rise <= 0:
        verdict = "no better"
    elif fallen:
        verdict = f"worse at {', '.join(fallen)}"
    return Judgement(name, below[0], figures, differences, verdict)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
