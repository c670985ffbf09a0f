"""Matching, micro F1 and average precision against scipy, a plain reimplementation and pycocotools."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deploy.contracts.promptable import PromptThresholds
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.errors import DeployError
from deploy.metrics.promptable.answers import LogitWatch, Reading, read_answer, resized
from deploy.metrics.promptable.figures import VERSIONS, Totals, summarise
from deploy.metrics.promptable.matching import iou_matrix, match_masks
from deploy.metrics.promptable.records import IOU_THRESHOLDS, Asked, PromptRecord, observe
from deploy.metrics.promptable.separation import Difference, difference, separations
from deploy.metrics.promptable.truth import truth_masks
from deploy.metrics.regions import region_and_boundary, region_similarity
from deploy.prompts.types import Answer, PromptedObject, PromptedPicture
from tests.oracles.coco import twelve

SIDE = 12


def masks(seed: int, count: int) -> NDArray[np.bool_]:
    """Random rectangles, bool (count, 12, 12), each with a pixel at least."""
    rng = np.random.default_rng(seed)
    found = np.zeros((count, SIDE, SIDE), np.bool_)
    for row in range(count):
        y, x = rng.integers(0, SIDE - 2, 2)
        h, w = rng.integers(2, 8, 2)
        found[row, y : y + h, x : x + w] = True
    return found


def reading(kept: NDArray[np.bool_], confidences: NDArray[np.float64] | None = None) -> Reading:
    """An answer that stands by ``kept``."""
    sure = np.linspace(0.9, 0.6, len(kept)) if confidences is None else confidences
    return Reading(bool(len(kept)), kept, kept, sure, len(kept), np.zeros((4, 4), np.float32))


def record_of(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    picture: int = 0,
    label: int = 0,
    confidences: NDArray[np.float64] | None = None,
) -> PromptRecord:
    """One text prompt's record."""
    asked = Asked(picture, "text", f"phrase {label}", "present" if len(truth) else "absent")
    read = reading(predicted, confidences)
    return observe(asked, read, truth, teacher=None, separation=float("nan"), label=label)


counts = st.integers(0, 5)
seeds = st.integers(0, 10_000)


@settings(deadline=None)
@given(seeds, counts, counts)
def test_the_assignment_is_the_best_there_is(seed: int, predictions: int, truths: int) -> None:
    """Against scipy on IoUs that region_similarity gives, and against every permutation."""
    predicted, truth = masks(seed, predictions), masks(seed + 1, truths)
    match = match_masks(predicted, truth)
    table = np.array([[region_similarity(p, t) for t in truth] for p in predicted]).reshape(
        predictions, truths
    )
    np.testing.assert_allclose(iou_matrix(predicted, truth), table, atol=1e-12)
    rows, columns = linear_sum_assignment(-table)
    assert match.ious.sum() == pytest.approx(table[rows, columns].sum())
    small, large = sorted((predictions, truths))
    table = table if predictions <= truths else table.T
    best = max(
        (
            sum(table[i, j] for i, j in enumerate(order))
            for order in itertools.permutations(range(large), small)
        ),
    )
    assert match.ious.sum() == pytest.approx(best)
    partners = match.partner[match.partner >= 0]
    assert len(set(partners.tolist())) == len(partners)
    assert len(match.ious) == truths
    assert ((match.ious > 0) == (match.partner >= 0)).all()


@settings(deadline=None)
@given(seeds, st.integers(1, 4), st.integers(0, 4), st.integers(1, 4))
def test_missed_truth_counts_zero_and_extra_masks_raise_nothing(
    seed: int, truths: int, predictions: int, extra: int
) -> None:
    truth, predicted = masks(seed, truths), masks(seed + 1, predictions)
    alone = Totals([record_of(predicted, truth)], np.ones((1, 1), np.int64)).mean_iou()[0]
    more_truth = np.concatenate([truth, masks(seed + 2, extra)])
    missed = Totals([record_of(truth, more_truth)], np.ones((1, 1), np.int64)).mean_iou()[0]
    assert truths / (truths + extra) - 1e-9 <= missed <= 1
    copies = np.concatenate([predicted, predicted])
    again = Totals([record_of(copies, truth)], np.ones((1, 1), np.int64))
    if truths == 1:
        assert again.mean_iou()[0] == pytest.approx(alone)
    perfect = np.concatenate([truth, masks(seed + 3, extra)])
    exact = Totals([record_of(perfect, truth)], np.ones((1, 1), np.int64))
    assert exact.mean_iou()[0] == pytest.approx(1)
    assert exact.boundary()[0] == pytest.approx(1)
    assert exact.positive_micro_f1()[0] == pytest.approx(2 * truths / (2 * truths + extra), abs=1e-9)


def test_truth_beyond_the_predictions_is_never_dropped() -> None:
    truth = np.zeros((4, SIDE, SIDE), np.bool_)
    for row in range(4):
        truth[row, row * 3 : row * 3 + 2] = True
    one = Totals([record_of(truth[:1], truth)], np.ones((1, 1), np.int64))
    assert one.mean_iou()[0] == 0.25
    assert one.boundary()[0] == 0.25
    assert Totals([record_of(truth[:0], truth)], np.ones((1, 1), np.int64)).mean_iou()[0] == 0


def test_boundary_f_is_that_of_davis() -> None:
    truth, predicted = masks(3, 1), masks(4, 1) | masks(3, 1)
    found = record_of(predicted, truth)
    overlap, boundary = region_and_boundary(predicted[0], truth[0])
    assert found.ious[0] == pytest.approx(overlap)
    assert found.boundaries[0] == pytest.approx(boundary)


@settings(deadline=None)
@given(seeds, st.lists(st.tuples(counts, counts), min_size=1, max_size=6))
def test_positive_micro_f1_and_cgf1_as_sam3_writes_them(seed: int, shapes: list[tuple[int, int]]) -> None:
    """Hits, false and missed masks of the positives are summed, F1 taken at each level, then the mean."""
    records, hits = [], np.zeros(10)
    false, missed = np.zeros(10), np.zeros(10)
    for number, (predictions, truths) in enumerate(shapes):
        predicted, truth = masks(seed + number, predictions), masks(seed + 2 * number + 1, truths)
        records.append(record_of(predicted, truth, picture=number))
        if truths:
            table = iou_matrix(predicted, truth)
            rows, columns = linear_sum_assignment(-table)
            found = (table[rows, columns][:, None] >= IOU_THRESHOLDS).sum(axis=0)
            hits += found
            false += predictions - found
            missed += truths - found
    weights = np.ones((1, len(shapes)), np.int64)
    figures = summarise(records, {}, weights)
    if sum(truths for _, truths in shapes) == 0:
        assert np.isnan(figures["positive_micro_F1"][0])
        return
    expected = float((2 * hits / (2 * hits + false + missed)).mean())
    assert figures["positive_micro_F1"][0] == pytest.approx(expected)
    if np.isnan(figures["IL_MCC"][0]):
        assert np.isnan(figures["cgF1"][0])
    else:
        assert figures["cgF1"][0] == pytest.approx(expected * figures["IL_MCC"][0])


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_pycocotools(seed: int) -> None:
    """A phrase is a class, an answer is a picture of its own."""
    rng = np.random.default_rng(seed)
    records, pairs = [], []
    for number in range(24):
        label = int(rng.integers(3))
        truth = masks(100 * seed + number, int(rng.integers(0, 4)))
        noise = masks(100 * seed + number + 50, int(rng.integers(0, 3)))
        predicted = np.concatenate([truth[rng.random(len(truth)) < 0.7], noise])
        predicted[:, 0, :] = False
        predicted = predicted[predicted.any(axis=(1, 2))]
        sure = np.sort(rng.random(len(predicted)))[::-1].astype(np.float32).astype(np.float64)
        records.append(record_of(predicted, truth, number // 3, label, sure))
        pairs.append(
            (
                InstancePrediction(
                    np.zeros((len(predicted), 4), np.float32),
                    sure.astype(np.float32),
                    np.full(len(predicted), label),
                    predicted,
                ),
                InstanceTruth(
                    (SIDE, SIDE), np.zeros((len(truth), 4), np.float32), np.full(len(truth), label), truth
                ),
            )
        )
    figures = summarise(records, {}, np.ones((1, 8), np.int64))
    expected = twelve(pairs, 3, "segm")
    assert figures["mask_AP"][0] == pytest.approx(expected[0], abs=1e-9)
    assert figures["mask_AP50"][0] == pytest.approx(expected[1], abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_a_picture_that_counts_twice_is_two_pictures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [(int(rng.integers(0, 4)), int(rng.integers(0, 3))) for _ in range(4)]
    weights = rng.integers(0, 3, (1, 4))
    once = [record_of(masks(seed + n, p), masks(seed + n + 9, t), n) for n, (p, t) in enumerate(shapes)]
    spread = {n: Difference(float(rng.random()), 3) for n in range(4)}
    found = summarise(once, spread, weights)
    drawn = [n for n in range(4) for _ in range(weights[0, n])]
    copied = [
        record_of(masks(seed + n, shapes[n][0]), masks(seed + n + 9, shapes[n][1]), place)
        for place, n in enumerate(drawn)
    ]
    plain = summarise(
        copied, {place: spread[n] for place, n in enumerate(drawn)}, np.ones((1, len(drawn)), np.int64)
    )
    for metric in VERSIONS.keys() - {"mask_AP", "mask_AP50"}:  # ties of the same scores rank by picture
        np.testing.assert_allclose(found[metric], plain[metric], atol=1e-12, err_msg=metric)


def test_figures_without_any_record_are_undefined() -> None:
    assert all(np.isnan(value).all() for value in summarise([], {}, np.ones((3, 2), np.int64)).values())


def test_separation_of_the_truth_is_one_and_of_a_constant_zero() -> None:
    left, right = masks(1, 1) & False, masks(1, 1) & False
    left[0, :, :5], right[0, :, 6:] = True, True
    truths, meant = [left, right], [frozenset({0}), frozenset({1})]
    assert separations([reading(left), reading(right)], truths, meant) == [1, 1]
    both = np.concatenate([left, right])
    constant = separations([reading(both), reading(both)], truths, meant)
    assert sum(constant) == pytest.approx(0, abs=0.2)
    swapped = separations([reading(right), reading(left)], truths, meant)
    assert swapped == [-1, -1]
    alone = separations([reading(left)], [left], [frozenset({0})])
    assert np.isnan(alone).all()
    nested = separations([reading(left), reading(left)], [left, both], [frozenset({0}), frozenset({0, 1})])
    assert np.isnan(nested).all()  # no other prompt whose objects are all different


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_difference_is_the_mean_over_pairs(a: float, b: float, c: float) -> None:
    maps = [np.full((3, 3), value, np.float32) for value in (a, b, c)]
    answers = [Reading(True, masks(1, 0), masks(1, 0), np.zeros(0), 0, each) for each in maps]
    found = difference(answers)
    assert found.pairs == 3
    assert found.total == pytest.approx(abs(a - b) + abs(a - c) + abs(b - c), abs=1e-6)
    assert difference(answers[:1]) == Difference(0, 0)


RULES = PromptThresholds()


def answer(logits: float = 3.0, presence: float = 0.9) -> Answer:
    """Two queries of 4x4 logits, the first kept."""
    planes = np.full((2, 4, 4), -3, np.float32)
    planes[0, 1:3, 1:3] = logits
    return Answer(planes, np.array([0.8, 0.2], np.float32), presence)


def test_an_answer_is_read_by_its_thresholds() -> None:
    read = read_answer(answer(), (4, 4), RULES, "it")
    assert read.said
    assert read.kept.shape == (1, 4, 4)
    assert read.kept.sum() == 4
    assert read.queries == 2
    assert read.confidences == pytest.approx([0.72, 0.18])
    assert read.soft[1, 1] == pytest.approx(0.9 * 0.8 / (1 + np.exp(-3)), abs=1e-5)
    silent = read_answer(answer(presence=0.4), (4, 4), RULES, "it")
    assert not silent.said
    assert len(silent.kept) == 0
    assert len(silent.ranked) == 2
    assert read_answer(answer(), (8, 12), RULES, "it").kept.shape == (1, 8, 12)
    assert resized(answer().masks[0], (4, 4)) is not None


@pytest.mark.parametrize(
    ("wrong", "error_id"),
    [
        (lambda a: Answer(a.masks[0], a.scores, 1.0), "ANSWER-BROKEN"),
        (lambda a: Answer(a.masks, a.scores[:1], 1.0), "ANSWER-BROKEN"),
        (lambda a: Answer(a.masks * np.nan, a.scores, 1.0), "ANSWER-BROKEN"),
        (lambda a: Answer(a.masks, a.scores * 3, 1.0), "ANSWER-BROKEN"),
        (lambda a: Answer(a.masks, a.scores, 1.5), "ANSWER-BROKEN"),
        (lambda a: Answer(a.masks, a.scores, float("nan")), "ANSWER-BROKEN"),
        (lambda a: Answer(a.masks > 0, a.scores, 1.0), "ANSWER-NOT-LOGITS"),
        (lambda a: Answer((a.masks > 0).astype(np.float32), a.scores, 1.0), "ANSWER-NOT-LOGITS"),
        (lambda a: Answer((1 / (1 + np.exp(-a.masks))), a.scores, 1.0), "ANSWER-NOT-LOGITS"),
    ],
)
def test_what_is_no_answer_is_refused(wrong: object, error_id: str) -> None:
    with pytest.raises(DeployError) as caught:
        read_answer(wrong(answer()), (4, 4), RULES, "it")  # type: ignore[operator]
    assert caught.value.error_id == error_id


def test_a_model_that_never_leaves_zero_to_one_is_refused() -> None:
    faint = Answer(np.linspace(0.3, 0.7, 16, dtype=np.float32).reshape(1, 4, 4), np.ones(1, np.float32), 1.0)
    read_answer(faint, (4, 4), RULES, "it")  # one such answer may be a faint logit
    watch = LogitWatch("it")
    watch.see(faint)
    with pytest.raises(DeployError) as caught:
        watch.demand()
    assert caught.value.error_id == "ANSWER-NOT-LOGITS"
    watch.see(answer())
    watch.demand()
    LogitWatch("nobody").demand()


def test_truth_is_bool_or_refused() -> None:
    mask = masks(1, 1)[0]
    image = np.zeros((SIDE, SIDE, 3), np.uint8)

    def picture(wrong: NDArray[np.generic]) -> PromptedPicture:
        return PromptedPicture("p", image, (PromptedObject(wrong, "c"),))  # type: ignore[arg-type]

    assert (truth_masks(picture(mask), (0,))[0] == mask).all()
    for wrong, error_id in (
        (1 / (1 + np.exp(-mask.astype(np.float32))), "TRUTH-NOT-BOOLEAN"),
        (mask.astype(np.uint8), "TRUTH-NOT-BOOLEAN"),
        (mask[:4], "TRUTH-BROKEN"),
        (mask & False, "TRUTH-BROKEN"),
    ):
        with pytest.raises(DeployError) as caught:
            truth_masks(picture(wrong), (0,))
        assert caught.value.error_id == error_id
