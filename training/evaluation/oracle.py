"""The truth as a model: it must score 1 in every evaluation, or the evaluator itself is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import Kind, PromptableRow
from deploy.errors import DeployError
from deploy.prompts.types import Answer, Prompt, PromptedPicture, PromptKind, Vocabulary
from training.evaluation.plan import tight_box

_SURE = 20.0
_EXACT = ("mIoU", "boundary_F", "positive_micro_F1", "presence_F1", "IL_MCC")


class TruthOracle:
    """Answers from the labels of the picture that it was last shown, by its own reading of the prompt.

    It looks nothing up in the plan: a phrase means what the vocabulary says, a point the smallest object
    under it, a box the object whose own box is nearest.
    """

    name = "truth"
    kinds: frozenset[PromptKind] = frozenset({"text", "point", "box"})

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._picture: PromptedPicture | None = None

    def show(self, picture: PromptedPicture) -> None:
        """Name the picture that the next questions are about."""
        self._picture = picture

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt: a query an object, logits of +20 on it and -20 elsewhere."""
        picture = self._picture
        if picture is None:
            raise ValueError("show the oracle a picture before asking about it")
        return [self._one(picture, prompt) for prompt in prompts]

    def _one(self, picture: PromptedPicture, prompt: Prompt) -> Answer:
        numbers = self._meant(picture, prompt)
        size = picture.image.shape[:2]
        masks = np.full((len(numbers), *size), -_SURE, np.float32)
        for row, number in enumerate(numbers):
            masks[row][picture.objects[number].mask] = _SURE
        return Answer(masks, np.ones(len(numbers), np.float32), float(bool(numbers)))

    def _meant(self, picture: PromptedPicture, prompt: Prompt) -> list[int]:
        if prompt.box is not None:
            far = [float(np.abs(tight_box(each.mask) - prompt.box).sum()) for each in picture.objects]
            return [int(np.argmin(far))] if far else []
        if prompt.points is None:
            return list(self._vocabulary.meant(picture, prompt.text))
        height, width = picture.image.shape[:2]
        column, row = int(prompt.points[0, 0] * width), int(prompt.points[0, 1] * height)
        under = [number for number, each in enumerate(picture.objects) if each.mask[row, column]]
        return sorted(under, key=lambda number: int(picture.objects[number].mask.sum()))[:1]


def demand_sound(rows: Sequence[PromptableRow], expected: Mapping[Kind, int]) -> None:
    """Raise ``EVALUATOR-BROKEN`` unless the evaluation passes its own controls.

    The truth (the first row) must score 1 on text prompts; point prompts are left out, because where objects
    overlap a point may mean either. And every row must be scored on every true object.

    Args:
        rows: of the report, the truth first.
        expected: true objects that the prompts of each kind mean, each counted once a prompt.
    """
    for metric in _EXACT:
        figure = rows[0].figure(metric)
        if figure is not None and figure.value is not None and abs(figure.value - 1) > 1e-9:
            raise _broken(f"the truth itself scores {metric} {figure.value:.4f}")
    for row in rows:
        for asked in row.asked:
            counted = row.figure("mIoU", asked.kind)
            if counted is None or counted.samples != expected[asked.kind]:
                found = 0 if counted is None else counted.samples
                raise _broken(
                    f"{row.role} {row.name} was scored on {found} true objects of {expected[asked.kind]}"
                )


def _broken(what: str) -> DeployError:
    return DeployError(
        "EVALUATOR-BROKEN",
        f"The evaluator is wrong, and no figure of it counts: {what}.",
        "Report it with the command you typed; a figure, the matching or the prompts were changed.",
    )
