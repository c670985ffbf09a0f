"""A student learns from the truth and from a teacher, on every seed, by the evaluator's own figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.distill.bars import DISTILLED, FROM_TRUTH, OF_TEACHER, SEEDS, TEACHER, measure


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_students_of_the_truth(tmp_path: Path) -> None:
    for seed in SEEDS:
        row = measure(tmp_path, f"truth-{seed}", {"seed": seed})
        low = {name: row[name] for name, bar in FROM_TRUTH.items() if row[name] < bar}
        assert not low, (seed, low)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_students_of_a_teacher(tmp_path: Path) -> None:
    teacher = measure(tmp_path, "teacher", TEACHER)
    for seed in SEEDS:
        asked = {"seed": seed, "options": {"teacher": f"run:{tmp_path}/teacher"}}
        row = measure(tmp_path, f"distilled-{seed}", asked)
        low = {name: row[name] for name, bar in DISTILLED.items() if row[name] < bar}
        assert not low, (seed, low)
        assert row["mIoU"] >= OF_TEACHER * teacher["mIoU"], seed
