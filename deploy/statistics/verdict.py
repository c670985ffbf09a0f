"""Judge a drop against its budget: PASS, FAIL, or CANNOT-TELL with the samples that would settle it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.verdict import Outcome, Verdict
from deploy.errors import ExitCode
from deploy.statistics.bootstrap import interval

_CODES: dict[Outcome, ExitCode] = {
    "PASS": ExitCode.PASS,
    "FAIL": ExitCode.FAIL,
    "CANNOT-TELL": ExitCode.CANNOT_TELL,
    "UNKNOWN": ExitCode.CANNOT_TELL,
}
_HOPELESS = 1e-6
_RULE_OF_THREE = 3.0  # Hanley and Lippman-Hand, JAMA 1983: 0 events in n tries still allow 3 / n


def judge_drop(
    metric: str,
    drop: float,
    replicates: NDArray[np.float64],
    budget: float,
    samples: int,
    confidence_percent: float = 95.0,
) -> Verdict:
    """The verdict on one figure's drop.

    Args:
        metric: the figure's name.
        drop: reference minus artifact on the samples as they are; positive is worse.
        replicates: float64 (R,), the same difference under each set of bootstrap weights.
        budget: the largest drop that is allowed.
        samples: number n of samples.
        confidence_percent: of the interval.
    """
    found = interval(replicates, confidence_percent)
    known = not (math.isnan(drop) or math.isnan(found.low))
    low, high = (found.low, found.high) if known else (None, None)
    return judge_span(metric, drop if known else None, low, high, budget, samples, confidence_percent)


def judge_span(
    metric: str,
    drop: float | None,
    low: float | None,
    high: float | None,
    budget: float,
    samples: int,
    confidence_percent: float = 95.0,
) -> Verdict:
    """The verdict on a drop whose interval is known already; UNKNOWN where there is none.

    Args:
        metric: the figure's name.
        drop: reference minus artifact; positive is worse.
        low: lower end of its interval.
        high: upper end.
        budget: the largest drop that is allowed.
        samples: number n of samples.
        confidence_percent: of the interval.
    """
    if drop is None or low is None or high is None:
        return Verdict(
            outcome="UNKNOWN",
            reason=f"{metric} has nothing to measure on these {samples} samples",
            metric=metric,
            budget=budget,
            confidence_percent=confidence_percent,
            samples=samples,
        )
    outcome, reason = _judge(drop, low, high, budget, samples)
    return Verdict(
        outcome=outcome,
        reason=reason,
        metric=metric,
        budget=budget,
        drop=drop,
        low=low,
        high=high,
        confidence_percent=confidence_percent,
        samples=samples,
        samples_needed=samples_needed(drop, low, high, budget, samples) if outcome == "CANNOT-TELL" else None,
    )


def samples_needed(drop: float, low: float, high: float, budget: float, samples: int) -> int | None:
    """Samples that would move the interval clear of the budget, if the drop stays what it is.

    An interval's half-width shrinks with the square root of n, so ``n * (half-width / distance) ** 2``, where
    distance is from the drop to the budget and the half-width is the one on the budget's side. ``None`` when
    the drop lies on the budget (within a millionth of the half-width): no number of samples separates them.
    """
    distance = abs(budget - drop)
    half = high - drop if drop <= budget else drop - low
    if distance <= half * _HOPELESS:
        return None
    return max(samples + 1, math.ceil(samples * (half / distance) ** 2))


def exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """The exit code of several verdicts: FAIL (3) before CANNOT-TELL (4) before PASS (0).

    UNKNOWN counts as CANNOT-TELL, and so does no verdict at all: what was not measured is not proven.
    """
    codes = {_CODES[outcome] for outcome in outcomes} or {ExitCode.CANNOT_TELL}
    return next(code for code in (ExitCode.FAIL, ExitCode.CANNOT_TELL, ExitCode.PASS) if code in codes)


def _judge(drop: float, low: float, high: float, budget: float, samples: int) -> tuple[Outcome, str]:
    span = f"the drop lies between {low:+.4f} and {high:+.4f}"
    if high <= budget:
        return "PASS", f"{span}, within the budget of {budget:.4f}" + _same(low, high, samples)
    if low > budget:
        return "FAIL", f"{span}, above the budget of {budget:.4f}" + _same(low, high, samples)
    if drop == budget:
        return (
            "CANNOT-TELL",
            f"the drop lies on the budget of {budget:.4f}; no number of samples separates them",
        )
    return "CANNOT-TELL", f"{span}, on both sides of the budget of {budget:.4f}"


def _same(low: float, high: float, samples: int) -> str:
    """What an interval without width hides: resampling cannot show what none of the samples showed."""
    if low != high or samples < 1:
        return ""
    share = min(1.0, _RULE_OF_THREE / samples)
    return (
        f"; no sample differs from another, which {samples} samples show for all but {share:.1%} of pictures"
    )
