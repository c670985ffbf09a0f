"""A student learns from the truth and from a teacher, by the evaluator's own figures.

One seed here; ``make bars-promptable`` takes three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.distill.bars import TEACHER, judged, measure


def missed(name: str, found: dict[str, Any], teacher: dict[str, Any]) -> list[str]:
    """The bars that a run does not clear; every run has some to clear."""
    lines = judged(name, found, teacher)
    assert lines
    return [line for line, passed in lines if not passed]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_student_of_the_truth(tmp_path: Path) -> None:
    assert not missed("truth-1", measure(tmp_path, "truth-1", {"seed": 1}), {})


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_student_of_a_teacher(tmp_path: Path) -> None:
    teacher = measure(tmp_path, "teacher", TEACHER)
    options = {"teacher": f"run:{tmp_path}/teacher"}
    found = measure(tmp_path, "distilled-0", {"seed": 0, "options": options})
    assert not missed("distilled-0", found, teacher)


def test_a_bar_can_be_missed() -> None:
    blind = {"presence_F1": 0.9, "IL_MCC": None, "sensitivity": 0.001, "selectivity": 0.0, "mIoU": 0.1}
    assert len(missed("truth-0", blind, {})) == 3
    assert len(missed("distilled-0", blind, {"mIoU": 0.6})) == 3
