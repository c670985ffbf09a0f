"""A small world of shapes and a quick way to evaluate on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.prompts.types import Answerer
from training.data.prompted_shapes import PromptedShapes
from training.evaluation.contestant import Contestant
from training.evaluation.promptable import Evaluation, Settings, evaluate

QUICK = Settings(replicates=100)


@pytest.fixture(scope="session")
def world() -> PromptedShapes:
    """Forty pictures, some of them empty."""
    return PromptedShapes(40, 5, part="held_out", empty=0.1, noise=0.05)


@pytest.fixture
def judge(world: PromptedShapes) -> Callable[..., Evaluation]:
    """``judge(student, ..., teacher=None)`` on the small world."""

    def run(*students: Answerer, teacher: Answerer | None = None, settings: Settings = QUICK) -> Evaluation:
        contestants = [Contestant(each, "student") for each in students]
        if teacher is not None:
            contestants.append(Contestant(teacher, "teacher", "a" * 64))
        return evaluate(world, contestants, settings, where="generated")

    return run
