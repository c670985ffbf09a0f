"""A model under evaluation: asked only what it can answer, and every prompt hashed as it is handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import KindPrompts, PromptThresholds, Role
from deploy.errors import DeployError
from deploy.metrics.promptable.answers import LogitWatch, Reading, read_answer
from deploy.prompts.hashing import PromptLedger
from deploy.prompts.types import Answer, Answerer, Prompt


@dataclass(frozen=True)
class Contestant:
    """A model and its place in the report; ``sha256``: of its weights or artifact, where there are some."""

    answerer: Answerer
    role: Role
    sha256: str | None = None


class Recorder:
    """Stands in front of a model and enters every prompt that reaches it, so that no step of an evaluation
    can hand it others unseen."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer
        self.ledger = PromptLedger()

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """The model's answers; see ``deploy.prompts.types.Answerer``."""
        self.ledger.enter(image, prompts)
        return self._answerer.answer(image, prompts)


class Interview:
    """One contestant's evaluation while it goes on.

    Args:
        contestant: who is asked.
        rules: how answers are read.
    """

    def __init__(self, contestant: Contestant, rules: PromptThresholds) -> None:
        self.contestant = contestant
        self.name = contestant.answerer.name
        self._rules = rules
        self._model = Recorder(contestant.answerer)
        self._watch = LogitWatch(self.name)

    def ask(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Reading | None]:
        """Readings in the order of ``prompts``; ``None`` for those of a kind that it cannot answer.

        Args:
            image: uint8 (H, W, 3) RGB.
            prompts: of any kind.

        Raises:
            DeployError: ``ANSWER-BROKEN``, ``ANSWER-NOT-LOGITS``.
        """
        able = [prompt for prompt in prompts if prompt.kind in self.contestant.answerer.kinds]
        answers = self._model.answer(image, able) if able else []
        if len(answers) != len(able):
            raise DeployError(
                "ANSWER-BROKEN",
                f"{self.name} gave {len(answers)} answers to {len(able)} prompts.",
                "Return one answer a prompt, in their order.",
            )
        size = (image.shape[0], image.shape[1])
        waiting = iter(answers)
        readings: list[Reading | None] = []
        for prompt in prompts:
            if prompt.kind not in self.contestant.answerer.kinds:
                readings.append(None)
                continue
            answer = next(waiting)
            self._watch.see(answer)
            readings.append(read_answer(answer, size, self._rules, self.name))
        return readings

    def finish(self) -> tuple[KindPrompts, ...]:
        """What was asked; raises ``ANSWER-NOT-LOGITS`` when no mask ever left 0..1."""
        self._watch.demand()
        return self._model.ledger.kinds()
