"""Presence figures against scikit-learn, and null where a set says nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score as sklearn_f1
from sklearn.metrics import matthews_corrcoef

from deploy.metrics.promptable.presence import (
    Confusion,
    f1_score,
    false_positive_rate,
    matthews,
    why_undefined,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40)


def confusion(pairs: list[tuple[bool, bool]]) -> Confusion:
    """Counts of (truth, answer) pairs, one replicate."""
    cells = [(True, True), (False, True), (True, False), (False, False)]
    return Confusion(*(np.array([float(pairs.count(cell))]) for cell in cells))


@given(PAIRS)
def test_equal_to_scikit_learn_where_defined(pairs: list[tuple[bool, bool]]) -> None:
    truth, said = [a for a, _ in pairs], [b for _, b in pairs]
    counts = confusion(pairs)
    if len(set(truth)) == 2:
        assert f1_score(counts)[0] == pytest.approx(sklearn_f1(truth, said, zero_division=0))
        false = sum(b and not a for a, b in pairs)
        assert false_positive_rate(counts)[0] == pytest.approx(false / truth.count(False))
    if len(set(truth)) == 2 and len(set(said)) == 2:
        assert matthews(counts)[0] == pytest.approx(matthews_corrcoef(truth, said))


@given(PAIRS)
def test_null_exactly_where_a_reason_is_given(pairs: list[tuple[bool, bool]]) -> None:
    """Never a 0 for "undefined", and never a reason beside a number."""
    counts = confusion(pairs)
    four = [
        int(each[0])
        for each in (
            counts.true_positives,
            counts.false_positives,
            counts.false_negatives,
            counts.true_negatives,
        )
    ]
    for metric, value in (
        ("presence_F1", f1_score(counts)),
        ("IL_MCC", matthews(counts)),
        ("presence_FPR", false_positive_rate(counts)),
    ):
        assert np.isnan(value[0]) == (why_undefined(metric, *four) is not None), (metric, four)


def test_a_set_of_positives_says_nothing() -> None:
    """The user's F1 of 0: every prompt meant something, and the head said absent."""
    never = confusion([(True, False)] * 200)
    always = confusion([(True, True)] * 200)
    for counts in (never, always):
        assert np.isnan(f1_score(counts)[0])
        assert np.isnan(matthews(counts)[0])
        assert np.isnan(false_positive_rate(counts)[0])
    assert "one class only" in (why_undefined("presence_F1", 0, 0, 200, 0) or "")


def test_replicates_are_judged_one_by_one() -> None:
    counts = Confusion(*(np.array(column, float) for column in ([2, 2], [0, 1], [1, 1], [0, 4])))
    assert np.isnan(f1_score(counts)).tolist() == [True, False]
    assert false_positive_rate(counts)[1] == pytest.approx(0.2)
