"""The evaluation gives a truth-reader 1, compares like with like, and flags what fooled others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.contracts.promptable import PromptableReport, PromptableRow, PromptSampling
from deploy.errors import DeployError, ExitCode
from deploy.prompts.comparison import compare, table
from deploy.prompts.types import Answer, Prompt, PromptedPicture
from tests.training.promptable.conftest import QUICK
from tests.training.promptable.fakes import (
    AlwaysPresent,
    Blind,
    Constant,
    FewQueries,
    Grabby,
    NeverPresent,
    Noise,
    Reader,
    Squashed,
)
from training.data.prompted_shapes import PromptedShapes
from training.evaluation.contestant import Contestant
from training.evaluation.plan import deepest_point, make_plan, tight_box
from training.evaluation.promptable import Evaluation, Settings, evaluate

Judge = Callable[..., Evaluation]


def row_of(report: PromptableReport, name: str) -> PromptableRow:
    return next(row for row in report.rows if row.name == name)


def test_a_truth_reader_scores_one_and_is_not_flagged(judge: Judge, world: PromptedShapes) -> None:
    report = judge(Reader(world)).report
    assert [row.role for row in report.rows] == ["truth", "student"]
    for row in report.rows:
        for metric in ("mIoU", "boundary_F", "mask_AP", "positive_micro_F1", "presence_F1", "IL_MCC", "cgF1"):
            figure = row.figure(metric)
            assert figure is not None
            assert figure.value == pytest.approx(1), metric
        assert row.figure("presence_FPR").value == 0  # type: ignore[union-attr]
        assert row.figure("selectivity").value == pytest.approx(1)  # type: ignore[union-attr]
        assert row.figure("sensitivity").value > 0.08  # type: ignore[union-attr, operator]
        assert not row.flags
    assert report.rows[1].figure("mIoU", "point").value == pytest.approx(1)  # type: ignore[union-attr]
    assert report.rows[1].figure("mIoU", "box").value == pytest.approx(1)  # type: ignore[union-attr]


def test_the_same_evaluation_twice_is_the_same_to_the_byte(judge: Judge, world: PromptedShapes) -> None:
    first, again = (judge(Reader(world, blur=0.1), Constant()).report for _ in range(2))
    assert first.to_json() == again.to_json()
    assert PromptableReport.parse(first.to_json(), "here") == first


def test_everybody_is_asked_the_same(judge: Judge, world: PromptedShapes) -> None:
    report = judge(Reader(world), Constant(), teacher=Reader(world, "teacher", 0.02)).report
    assert len({row.asked for row in report.rows}) == 1
    assert report.rows[0].asked == report.protocol.prompts
    assert [each.kind for each in report.protocol.prompts] == ["text", "point", "box"]
    assert report.rows[1].sha256 == "a" * 64


def test_a_student_is_given_as_a_share_of_its_teacher(judge: Judge, world: PromptedShapes) -> None:
    teacher = Reader(world, "teacher", 0.05)
    report = judge(Reader(world, "worse", 0.15), Reader(world, "copy", 0.0), teacher=teacher).report
    worse = row_of(report, "worse")
    share = next(each for each in worse.relative if (each.metric, each.kind) == ("mIoU", "text"))
    mine, theirs = worse.figure("mIoU"), row_of(report, "teacher").figure("mIoU")
    assert share.to == "teacher teacher"
    assert share.ratio == pytest.approx(mine.value / theirs.value)  # type: ignore[union-attr, operator]
    assert share.low < share.ratio < share.high < 1  # type: ignore[operator]
    with_itself = judge(Reader(world, "teacher", 0.0), teacher=Reader(world, "teacher", 0.0)).report
    assert with_itself.rows[2].figure("teacher_mIoU").value == pytest.approx(1)  # type: ignore[union-attr]
    assert with_itself.rows[1].figure("teacher_mIoU") is None


@pytest.mark.parametrize(
    ("make", "flag"),
    [
        (lambda w: Constant(), "ALWAYS-PRESENT"),
        (lambda w: Constant(), "PROMPT-UNUSED"),
        (lambda w: Blind(w, "blind"), "PROMPT-UNUSED"),
        (lambda w: AlwaysPresent(w, "always"), "ALWAYS-PRESENT"),
        (lambda w: NeverPresent(w, "never"), "ALWAYS-ABSENT"),
        (lambda w: Grabby(w, "grabby"), "EVERY-QUERY-KEPT"),
        (lambda w: Noise(w, "noise"), "NOT-SELECTIVE"),
        (lambda w: FewQueries(w, "few"), "TRUTH-BEYOND-QUERIES"),
    ],
)
def test_negative_controls_are_flagged(
    judge: Judge, world: PromptedShapes, make: Callable[[PromptedShapes], Reader], flag: str
) -> None:
    row = judge(make(world)).report.rows[1]
    found = [each for each in row.flags if each.id == flag]
    assert found, [each.id for each in row.flags]
    assert found[0].sentence.endswith(".")
    assert found[0].remedy.endswith(".")


def test_what_each_control_shows_in_figures(judge: Judge, world: PromptedShapes) -> None:
    """Masks alone would not have seen it: a blind and an always-present model have an mIoU of 1."""
    report = judge(Blind(world, "blind"), AlwaysPresent(world, "always"), NeverPresent(world, "never")).report
    blind, always, never = report.rows[1:]
    assert blind.figure("mIoU").value == pytest.approx(1)  # type: ignore[union-attr]
    assert blind.figure("sensitivity").value < 0.01  # type: ignore[union-attr, operator]
    assert abs(blind.figure("selectivity").value) < 0.1  # type: ignore[union-attr, arg-type]
    assert always.figure("mIoU").value == pytest.approx(1)  # type: ignore[union-attr]
    assert always.figure("presence_FPR").value == 1  # type: ignore[union-attr]
    assert always.figure("IL_MCC").value is None  # type: ignore[union-attr]
    assert "everything is there" in (always.figure("IL_MCC").reason or "")  # type: ignore[union-attr]
    assert always.figure("cgF1").value is None  # type: ignore[union-attr]
    assert never.figure("mIoU").value == 0  # type: ignore[union-attr]
    assert never.figure("presence_F1").value == 0  # type: ignore[union-attr]


def test_a_set_of_positives_has_no_presence_figure(world: PromptedShapes) -> None:
    full = PromptedShapes(12, 1)
    settings = Settings(PromptSampling(hard=0, absent=0), replicates=100)
    report = evaluate(full, [Contestant(Constant(), "student")], settings).report
    for metric in ("presence_F1", "IL_MCC", "cgF1", "presence_FPR"):
        figure = report.rows[1].figure(metric)
        assert figure is not None
        assert figure.value is None
        assert figure.low is None
        assert figure.reason
    assert "ONE-CLASS-PRESENCE" in {flag.id for flag in report.rows[1].flags}
    assert report.rows[1].figure("mIoU").value is not None  # type: ignore[union-attr]


def test_empty_pictures_alone_have_no_mask_figure() -> None:
    empty = PromptedShapes(6, 1, empty=1.0)
    report = evaluate(empty, [Contestant(Constant(), "student")], QUICK).report
    row = report.rows[1]
    for metric in ("mIoU", "boundary_F", "mask_AP", "presence_F1", "IL_MCC", "selectivity"):
        assert row.figure(metric).value is None, metric  # type: ignore[union-attr]
        assert row.figure(metric).reason  # type: ignore[union-attr]
    assert row.figure("presence_FPR").value == 1  # type: ignore[union-attr]


def test_a_kind_that_the_teacher_cannot_answer_is_null(judge: Judge, world: PromptedShapes) -> None:
    teacher = Reader(world, "texty", kinds=frozenset({"text"}))
    report = judge(Reader(world), teacher=teacher).report
    row = row_of(report, "texty")
    assert [each.kind for each in row.asked] == ["text"]
    figure = row.figure("mIoU", "point")
    assert figure is not None
    assert figure.value is None
    assert figure.reason == "texty cannot answer point prompts"
    assert [flag.id for flag in row.flags] == ["KIND-UNANSWERED"] * 2
    shares = {each.kind for each in row_of(report, "reader").relative}
    assert shares == {"text"}


def test_slices_by_phrase_and_by_kind_of_negative(judge: Judge, world: PromptedShapes) -> None:
    row = judge(Reader(world, blur=0.05)).report.rows[1]
    assert {each.name for each in row.slices if each.axis == "phrase"} <= set(world.vocabulary.phrases)
    assert len([each for each in row.slices if each.axis == "phrase"]) == 15
    assert {each.name for each in row.slices if each.axis == "negatives"} == {"hard", "absent"}
    whole = row.figure("mIoU")
    parts = [each.figures[0] for each in row.slices if each.axis == "phrase"]
    total = sum(part.samples for part in parts)
    assert total == whole.samples  # type: ignore[union-attr]
    mean = sum(part.value * part.samples for part in parts if part.value is not None) / total
    assert mean == pytest.approx(whole.value)  # type: ignore[union-attr]


def test_a_truth_beyond_the_queries_is_scored(judge: Judge, world: PromptedShapes) -> None:
    report = judge(FewQueries(world, "few")).report
    few, truth = report.rows[1].figure("mIoU"), report.rows[0].figure("mIoU")
    assert few.samples == truth.samples  # type: ignore[union-attr]
    assert few.value < 0.95  # type: ignore[union-attr, operator]


def test_probabilities_are_refused(judge: Judge, world: PromptedShapes) -> None:
    with pytest.raises(DeployError) as caught:
        judge(Squashed(world))
    assert caught.value.error_id == "ANSWER-NOT-LOGITS"


class TooFew(Reader):
    """Leaves the last prompt without an answer."""

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        return super().answer(image, prompts)[:-1]


class Restless(PromptedShapes):
    """Gives another picture every time."""

    def picture(self, index: int) -> PromptedPicture:
        self.calls = getattr(self, "calls", 0) + 1
        found = super().picture(index)
        return PromptedPicture(found.id, found.image ^ np.uint8(self.calls % 2), found.objects)


def test_what_would_make_rows_incomparable_is_refused(judge: Judge, world: PromptedShapes) -> None:
    with pytest.raises(DeployError) as caught:
        judge(Reader(world), Reader(world))
    assert caught.value.error_id == "NAMES-REPEAT"
    with pytest.raises(DeployError) as caught:
        judge(TooFew(world))
    assert caught.value.error_id == "ANSWER-BROKEN"
    with pytest.raises(DeployError) as caught:
        evaluate(Restless(5, 0), [Contestant(Constant(), "student")], QUICK)
    assert caught.value.error_id == "PROMPTS-DIFFER"
    assert caught.value.exit_code == ExitCode.INCOMPARABLE
    with pytest.raises(DeployError) as caught:
        nothing = PromptSampling(present=0, hard=0, absent=0, points=0, boxes=0)
        judge(Constant(), settings=Settings(nothing))
    assert caught.value.error_id == "NOTHING-TO-ASK"


def test_reports_of_one_protocol_share_a_table(judge: Judge, world: PromptedShapes) -> None:
    first, second = judge(Reader(world)).report, judge(Constant()).report
    rows = compare([first, second])
    assert [row.name for row in rows] == ["truth", "reader", "constant"]
    heads, lines = table(rows)
    assert len(heads) == len(lines[0])
    assert "PROMPT-UNUSED" in lines[2][-1]
    assert lines[1][-1] == "none"
    assert compare([]) == ()


@pytest.mark.parametrize(
    "other",
    [
        Settings(PromptSampling(hard=3), replicates=100),
        Settings(PromptSampling(seed=1), replicates=100),
        Settings(limit=20, replicates=100),
    ],
    ids=["sampling", "seed", "limit"],
)
def test_reports_of_two_protocols_refuse_to_share_a_table(judge: Judge, other: Settings) -> None:
    with pytest.raises(DeployError) as caught:
        compare([judge(Constant()).report, judge(Constant(), settings=other).report])
    assert caught.value.error_id == "INCOMPARABLE-PROTOCOL"
    assert caught.value.exit_code == ExitCode.INCOMPARABLE


def test_an_edited_report_is_refused(judge: Judge) -> None:
    report = judge(Constant()).report
    edited = report.model_copy(
        update={"protocol": report.protocol.model_copy(update={"matcher": "greedy/1"})}
    )
    with pytest.raises(DeployError) as caught:
        compare([edited])
    assert caught.value.error_id == "INCOMPARABLE-PROTOCOL"
    row = report.rows[1]
    other = row.model_copy(update={"asked": (row.asked[0].model_copy(update={"sha256": "0" * 64}),)})
    with pytest.raises(DeployError) as caught:
        compare([report.model_copy(update={"rows": (report.rows[0], other)})])
    assert caught.value.error_id == "PROMPTS-DIFFER"


def test_the_plan_asks_what_it_says(world: PromptedShapes) -> None:
    plan = make_plan(world, PromptSampling())
    alike = 0
    for part in plan.pictures:
        picture = world.picture(part.index)
        there = {each.concept for each in picture.objects}
        seen = {word for concept in there for word in concept.split()}
        texts = [each for each in part.prompts if each.prompt.kind == "text"]
        assert len({each.prompt.text for each in texts}) == len(texts)
        for each in texts:
            present = bool(world.vocabulary.meanings[each.prompt.text] & there)
            assert (each.group == "present") == present == bool(each.meant)
            alike += each.group == "hard" and bool(set(each.prompt.text.split()) & seen)
        if there:
            assert {each.group for each in texts} == {"present", "hard", "absent"}
        for each in part.prompts:
            if each.prompt.points is not None:
                x, y, this = each.prompt.points[0]
                assert this == 1
                assert picture.objects[each.meant[0]].mask[int(y * 32), int(x * 32)]
            if each.prompt.box is not None:
                np.testing.assert_array_equal(each.prompt.box, tight_box(picture.objects[each.meant[0]].mask))
    assert alike > 60
    assert make_plan(world, PromptSampling(), limit=7).ledger.kinds()[0].prompts < 7 * 15


def test_points_and_boxes_of_a_mask() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[2:7, 5:10] = True
    np.testing.assert_allclose(deepest_point(mask), [[7.5 / 20, 4.5 / 10, 1]])
    np.testing.assert_allclose(tight_box(mask), [0.25, 0.2, 0.5, 0.7])


class Reluctant(Reader):
    """Reads phrases; a point moves its masks by a little only."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        if prompt.kind != "point":
            return super()._one(image, prompt)
        found = super()._one(image, Prompt("shape"))
        shift = float(prompt.points[0, 0]) if prompt.points is not None else 0.0
        return Answer(np.sign(found.masks) * np.float32(2 + shift), found.scores, 1.0)


def test_an_unused_kind_of_prompt_is_told_apart_from_a_used_one(judge: Judge, world: PromptedShapes) -> None:
    """Points differ far more in truth than phrases do, so a fixed limit alone would miss them."""
    row = judge(Reluctant(world, "reluctant")).report.rows[1]
    assert 0.01 < row.figure("sensitivity", "point").value < 0.03  # type: ignore[union-attr, operator]
    assert {(flag.id, flag.kind) for flag in row.flags if flag.id == "PROMPT-UNUSED"} == {
        ("PROMPT-UNUSED", "point")
    }
    _, text = table([row], "text")
    assert text[0][-1] == "none"
    heads, point = table([row], "point")
    assert "PROMPT-UNUSED" in point[0][-1]
    assert "MCC" not in heads  # null for everybody
