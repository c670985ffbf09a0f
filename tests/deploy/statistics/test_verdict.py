"""Verdicts follow the interval, ask for enough samples, and map to exit codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import ExitCode
from deploy.statistics.bootstrap import sample_weights
from deploy.statistics.verdict import exit_code, judge_drop, samples_needed


def judged(drop: float, width: float, budget: float, samples: int = 100):  # type: ignore[no-untyped-def]
    return judge_drop("mIoU", drop, np.linspace(drop - width, drop + width, 2001), budget, samples)


def test_the_three_outcomes() -> None:
    assert judged(0.002, 0.003, 0.01).outcome == "PASS"
    assert judged(0.03, 0.005, 0.01).outcome == "FAIL"
    doubtful = judged(0.008, 0.02, 0.01)
    assert doubtful.outcome == "CANNOT-TELL"
    assert doubtful.samples_needed == 9025  # 100 * (0.019 / 0.002)^2


def test_an_interval_that_touches_the_budget_passes() -> None:
    assert judge_drop("x", 0.01, np.full(100, 0.01), 0.01, 20).outcome == "PASS"


def test_no_width() -> None:
    same = judge_drop("x", 0.0, np.zeros(100), 0.01, 30)
    assert same.outcome == "PASS"
    assert "all but 10.0%" in same.reason
    assert judge_drop("x", 0.02, np.full(100, 0.02), 0.01, 30).outcome == "FAIL"


def test_a_drop_on_the_budget_needs_no_number() -> None:
    on = judged(0.01, 0.02, 0.01)
    assert on.outcome == "CANNOT-TELL"
    assert on.samples_needed is None
    assert "no number" in on.reason


def test_nothing_measured_is_unknown() -> None:
    assert judge_drop("x", float("nan"), np.full(10, np.nan), 0.01, 5).outcome == "UNKNOWN"
    assert judge_drop("x", 0.1, np.full(10, np.nan), 0.01, 5).drop is None


@settings(max_examples=200)
@given(st.floats(-0.2, 0.2), st.floats(0, 0.2), st.floats(0, 0.2), st.floats(-0.1, 0.1), st.integers(1, 500))
def test_more_samples_are_asked_for_than_there_were(
    drop: float, below: float, above: float, budget: float, samples: int
) -> None:
    low, high = drop - below, drop + above
    if low <= budget < high and drop != budget:
        needed = samples_needed(drop, low, high, budget, samples)
        assert needed is None or needed > samples


def test_the_number_asked_for_settles_it() -> None:
    rng = np.random.default_rng(0)
    population = rng.normal(0.006, 0.05, 200_000)
    population += 0.006 - population.mean()
    first = population[:200]
    verdict = judge_drop(
        "x", 0.006, sample_weights(200, 1000, 0) @ (first - first.mean() + 0.006) / 200, 0.01, 200
    )
    assert verdict.outcome == "CANNOT-TELL"
    assert verdict.samples_needed is not None
    more = population[: int(verdict.samples_needed * 1.1)]
    more = more - more.mean() + 0.006
    drops = sample_weights(len(more), 400, 0) @ more / len(more)
    assert judge_drop("x", 0.006, drops, 0.01, len(more)).outcome == "PASS"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["PASS", "PASS"], 0),
        (["PASS", "FAIL", "CANNOT-TELL"], 3),
        (["PASS", "CANNOT-TELL"], 4),
        (["PASS", "UNKNOWN"], 4),
        ([], 4),
    ],
)
def test_exit_codes(outcomes: list[str], code: int) -> None:
    assert exit_code(outcomes) == code  # type: ignore[arg-type]
    assert isinstance(exit_code(outcomes), ExitCode)  # type: ignore[arg-type]
