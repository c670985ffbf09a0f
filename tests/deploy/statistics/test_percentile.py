"""Percentiles equal numpy's by the same rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.statistics.percentile import linear, nearest_rank

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(NUMBERS, st.integers(1, 100))
def test_nearest_rank_is_numpys_inverted_cdf_and_a_sample(values: list[float], percent: int) -> None:
    found = nearest_rank(values, percent)
    assert found in values
    assert found == sorted(values)[-(-len(values) * percent // 100) - 1]


@given(NUMBERS, st.floats(0, 100))
def test_linear_is_numpys_default(values: list[float], percent: float) -> None:
    assert linear(values, percent) == np.percentile(values, percent)


def test_rank_is_not_moved_by_rounding() -> None:
    values = list(range(1, 101))
    assert [nearest_rank(values, p) for p in (7, 14, 28, 55, 56, 57, 99, 99.5, 100)] == [
        7, 14, 28, 55, 56, 57, 99, 100, 100,
    ]  # fmt: skip


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_nothing_to_rank_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        nearest_rank(values, 50)
    with pytest.raises(ValueError, match="above 0"):
        nearest_rank([1.0], 0)
