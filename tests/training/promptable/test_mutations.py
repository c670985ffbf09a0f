"""The evaluator, broken on purpose in the ways that fooled real projects: every break must go red.

A break is red when the evaluation refuses to report, or when the known answers below no longer come out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deploy.errors import DeployError
from deploy.metrics.promptable import matching, records
from deploy.metrics.promptable.answers import Reading
from deploy.metrics.promptable.matching import Match, match_masks
from deploy.prompts.types import Answer, Prompt, PromptedObject, PromptedPicture
from tests.training.promptable.conftest import QUICK
from tests.training.promptable.fakes import EVERY, Constant, FewQueries, Reader
from training.data.prompted_shapes import PromptedShapes
from training.evaluation import contestant, promptable
from training.evaluation.contestant import Contestant
from training.evaluation.promptable import Evaluation, evaluate

SMALL = PromptedShapes(16, 5, part="held_out", empty=0.1)
EVALUATOR_IDS = {"EVALUATOR-BROKEN", "PROMPTS-DIFFER", "TRUTH-NOT-BOOLEAN", "ANSWER-BROKEN"}


def run(teacher: bool = True) -> Evaluation:
    """A teacher, a blurred student, and one with a single query."""
    contestants = [
        Contestant(Reader(SMALL, "student", 0.05), "student"),
        Contestant(FewQueries(SMALL, "few"), "student"),
    ]
    if teacher:
        contestants.append(Contestant(Reader(SMALL, "teacher"), "teacher"))
    return evaluate(SMALL, contestants, QUICK)


def known_answers() -> None:
    """Weak masks whose IoUs are known by hand: 4/8 and 6/8, 0 for a third object; and an exact mask beside
    one of the whole picture."""
    truth = np.zeros((3, 4, 8), np.bool_)
    truth[0, :2, :4], truth[1, :2, 4:], truth[2, 3, :] = True, True, True
    weak = np.zeros((2, 4, 8), np.bool_)
    weak[0, :2, 4:7], weak[1, 0, :4] = True, True
    match = match_masks(weak, truth)
    assert match.ious.tolist() == [0.5, 0.75, 0.0]
    assert match.partner.tolist() == [1, 0, -1]
    small = truth[:1]
    assert match_masks(np.concatenate([np.ones_like(small), small]), small).partner.tolist() == [1]


def sigmoid(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """What belongs on logits and not on truth: 0 becomes 0.5, 1 becomes 0.73."""
    return 1 / (1 + np.exp(-values.astype(np.float32)))


def red(act: Callable[[], object]) -> str:
    """The id of the refusal; fails when nothing is refused."""
    with pytest.raises(DeployError) as caught:
        act()
    assert caught.value.error_id in EVALUATOR_IDS
    return caught.value.error_id


def test_green_without_a_break() -> None:
    report = run().report
    assert report.rows[0].figure("mIoU").value == 1  # type: ignore[union-attr]
    known_answers()


class SigmoidWorld:
    """Hands out truth after a sigmoid."""

    vocabulary, sha256 = SMALL.vocabulary, SMALL.sha256

    def __len__(self) -> int:
        return len(SMALL)

    def picture(self, index: int) -> PromptedPicture:
        found = SMALL.picture(index)
        objects = tuple(PromptedObject(sigmoid(each.mask), each.concept) for each in found.objects)  # type: ignore[arg-type]
        return replace(found, objects=objects)


def test_sigmoid_on_the_truth_in_the_data() -> None:
    contestants = [Contestant(Constant(), "student")]
    assert red(lambda: evaluate(SigmoidWorld(), contestants, QUICK)) == "TRUTH-NOT-BOOLEAN"


@pytest.mark.parametrize("cut", [0.0, 0.5], ids=["any foreground", "a half and more"])
def test_sigmoid_on_the_truth_in_the_evaluator(monkeypatch: pytest.MonkeyPatch, cut: float) -> None:
    """The background's 0.5 becomes foreground when it is cut again."""
    real = promptable.truth_masks

    def broken(picture: PromptedPicture, meant: Sequence[int]) -> NDArray[np.bool_]:
        return sigmoid(real(picture, meant)) >= cut

    monkeypatch.setattr(promptable, "truth_masks", broken)
    assert red(run) == "EVALUATOR-BROKEN"


def test_sigmoid_on_the_truth_in_the_matching_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug as it was: confident masks are matched as before, weak ones to whatever is largest."""

    def broken(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Match:
        soft = sigmoid(truth).reshape(len(truth), -1)
        flat = predicted.reshape(len(predicted), -1).astype(np.float32)
        overlap = flat @ soft.T
        cost = overlap / (flat.sum(1)[:, None] + soft.sum(1)[None, :] - overlap)
        ious, partner = np.zeros(len(truth)), np.full(len(truth), -1)
        for row, column in zip(*linear_sum_assignment(-cost), strict=True):
            ious[column] = matching.iou_matrix(predicted[row : row + 1], truth[column : column + 1])[0, 0]
            partner[column] = row
        return Match(ious, partner)

    monkeypatch.setitem(globals(), "match_masks", broken)
    with pytest.raises(AssertionError):
        known_answers()


def test_a_constant_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was planned, everybody is asked the same phrase."""
    real = contestant.Interview.ask

    def broken(
        self: contestant.Interview, image: NDArray[np.uint8], prompts: Sequence[Prompt]
    ) -> list[Reading | None]:
        return real(self, image, [Prompt("disc") for _ in prompts])

    monkeypatch.setattr(contestant.Interview, "ask", broken)
    assert red(run) in ("EVALUATOR-BROKEN", "PROMPTS-DIFFER")


def test_a_constant_prompt_behind_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the ledger is passed by, the truth no longer scores 1."""

    def broken(
        self: contestant.Recorder, image: NDArray[np.uint8], prompts: Sequence[Prompt]
    ) -> list[Answer]:
        self.ledger.enter(image, prompts)
        return self._answerer.answer(image, [Prompt("disc") for _ in prompts])

    monkeypatch.setattr(contestant.Recorder, "answer", broken)
    assert red(run) == "EVALUATOR-BROKEN"


@pytest.mark.parametrize("where", ["matching", "truth"])
def test_truth_beyond_the_query_count_dropped(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Objects that a model has no query for vanish from the mean instead of counting as missed."""
    if where == "matching":
        real = records.observe

        def broken(asked: object, reading: Reading, truth: NDArray[np.bool_], **rest: object) -> object:
            return real(asked, reading, truth[: reading.queries], **rest)  # type: ignore[arg-type]

        monkeypatch.setattr(promptable, "observe", broken)
    else:
        whole = promptable.truth_masks
        monkeypatch.setattr(promptable, "truth_masks", lambda picture, meant: whole(picture, meant[:1]))
    assert red(run) == "EVALUATOR-BROKEN"


@pytest.mark.parametrize("others", ["a generic phrase", "no points", "another order"])
def test_a_teacher_given_other_prompts_than_the_student(monkeypatch: pytest.MonkeyPatch, others: str) -> None:
    real = contestant.Interview.ask

    def changed(prompts: Sequence[Prompt]) -> list[Prompt]:
        if others == "a generic phrase":
            return [Prompt("shape", each.points, each.box) for each in prompts]
        if others == "no points":
            return [Prompt(each.text) for each in prompts]
        return list(reversed(prompts))

    def broken(
        self: contestant.Interview, image: NDArray[np.uint8], prompts: Sequence[Prompt]
    ) -> list[Reading | None]:
        mine = changed(prompts) if self.contestant.role == "teacher" else list(prompts)
        return real(self, image, mine)

    monkeypatch.setattr(contestant.Interview, "ask", broken)
    run(teacher=False)
    assert red(run) in ("PROMPTS-DIFFER", "EVALUATOR-BROKEN")


def test_a_model_that_ignores_its_prompt_is_flagged_by_its_answers() -> None:
    """The same break inside a model: the evaluator cannot see its prompts, and sees it by the masks."""
    assert Constant().kinds == EVERY
    report = evaluate(SMALL, [Contestant(Constant(), "student")], QUICK).report
    assert "PROMPT-UNUSED" in {flag.id for flag in report.rows[1].flags}


def test_zero_for_undefined(monkeypatch: pytest.MonkeyPatch) -> None:
    """An F1 of 0 on positives only is the number that started it all."""
    from deploy.metrics.promptable import figures

    monkeypatch.setattr(figures, "f1_score", lambda counts: np.zeros_like(np.asarray(counts.true_positives)))
    assert red(run) == "EVALUATOR-BROKEN"
