"""Counts at one confidence against pycocotools, causes on planted errors, weights against repetition."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.metrics.coco_records import SIDE_RANGES
from deploy.metrics.tiled.causes import causes, convincing_scores
from deploy.metrics.tiled.figures import counts, of_class, of_size, precision_recall
from deploy.metrics.tiled.matching import Matched, match_picture
from tests.oracles.coco import Pair, scene

_NO_RIGHT = np.full(3, np.inf, np.float32)


def _boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.asarray(rows, np.float32).reshape(-1, 4)


def _matched(found: list[tuple], truth: list[tuple], threshold: float = 0.5) -> Matched:
    """Rows of (box, class, score) and (box, class)."""
    return match_picture(
        InstancePrediction(
            _boxes(*(row[0] for row in found)),
            np.asarray([row[2] for row in found], np.float32),
            np.asarray([row[1] for row in found], np.int64),
        ),
        InstanceTruth((100, 100), _boxes(*(row[0] for row in truth)), np.asarray([r[1] for r in truth])),
        threshold,
    )


def _by_pycocotools(pair: Pair, ignored: np.ndarray, threshold: float) -> tuple[int, int, int]:
    """True positives, false positives and missed objects of one picture."""
    prediction, truth = pair
    boxes = lambda each: [  # noqa: E731
        [float(x1), float(y1), float(x2 - x1), float(y2 - y1)] for x1, y1, x2, y2 in each
    ]
    ground = COCO()
    ground.dataset = {
        "images": [{"id": 1, "height": truth.size[0], "width": truth.size[1]}],
        "categories": [{"id": index + 1} for index in range(3)],
        "annotations": [
            {
                "id": place + 1,
                "image_id": 1,
                "category_id": int(label) + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "ignore": int(ignored[place]),
            }
            for place, (box, label) in enumerate(zip(boxes(truth.boxes), truth.classes, strict=True))
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        ground.createIndex()
        found = ground.loadRes(
            [
                {"image_id": 1, "category_id": int(label) + 1, "bbox": box, "score": float(score)}
                for box, label, score in zip(
                    boxes(prediction.boxes), prediction.classes, prediction.scores, strict=True
                )
            ]
        )
        judge = COCOeval(ground, found, "bbox")
        judge.params.iouThrs = np.array([threshold])
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        for annotation in ground.dataset["annotations"]:
            annotation["_own"] = annotation["ignore"]
        judge._prepare_own = judge._prepare

        def prepare() -> None:
            judge._prepare_own()
            for truths in judge._gts.values():
                for each in truths:
                    each["ignore"] = each["_own"]

        judge._prepare = prepare
        judge.evaluate()
    right = wrong = missed = 0
    for cell in judge.evalImgs:
        if cell is None:
            continue
        met, skipped = np.asarray(cell["dtMatches"][0]) > 0, np.asarray(cell["dtIgnore"][0], bool)
        right += int((met & ~skipped).sum())
        wrong += int((~met & ~skipped).sum())
        gone = np.asarray(cell["gtMatches"][0]) == 0
        missed += int((gone & ~np.asarray(cell["gtIgnore"], bool)).sum())
    return right, wrong, missed


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), threshold=st.sampled_from([0.3, 0.5, 0.75]), ties=st.booleans())
def test_counts_are_those_of_pycocotools(seed: int, threshold: float, ties: bool) -> None:
    pair = scene(seed, (96, 128), 3, 8, ties=ties, masks=False)
    if not len(pair[0].scores):
        return
    ignored = np.random.default_rng(seed).random(len(pair[1].classes)) < 0.3
    mine = counts([match_picture(*pair, threshold, ignored)])[0]
    assert tuple(mine) == _by_pycocotools(pair, ignored, threshold)


def test_every_planted_error_has_its_cause() -> None:
    person, other = (10, 10, 20, 20), (50, 50, 60, 60)
    found = [
        (person, 0, 0.9),
        ((10, 11, 20, 21), 0, 0.8),  # second box on the same person
        ((10, 10, 20, 13), 0, 0.7),  # the part of them that a tile's edge left
        (other, 1, 0.6),  # a person called something else
        ((55, 55, 66, 66), 0, 0.5),  # half off the other person
        ((80, 80, 90, 90), 0, 0.95),  # as sure as the right ones, nothing labelled
        ((0, 80, 10, 90), 0, 0.3),  # nothing at all
    ]
    matched = _matched(found, [(person, 0), (other, 0)])
    sure = convincing_scores([matched], 3)
    named = {float(matched.scores[place]): cause for place, cause in causes(matched, 0.5, sure)}
    wanted = {
        0.8: "duplicate",
        0.7: "duplicate",
        0.6: "class_swap",
        0.5: "localisation",
        0.95: "unlabelled_truth_candidate",
        0.3: "background",
    }
    assert {round(score, 2): cause for score, cause in named.items()} == wanted


def test_a_part_of_a_missed_object_is_no_duplicate() -> None:
    matched = _matched([((10, 10, 20, 13), 0, 0.7)], [((10, 10, 20, 20), 0)])
    assert causes(matched, 0.5, _NO_RIGHT) == [(0, "localisation")]


def test_weights_are_repetitions() -> None:
    pictures = [match_picture(*scene(seed, (96, 128), 3, 8, masks=False), 0.5) for seed in range(6)]
    totals = counts(pictures)
    weights = np.array([[1, 1, 1, 1, 1, 1], [0, 2, 0, 3, 0, 1]])
    repeated = [pictures[i] for i, times in enumerate(weights[1]) for _ in range(times)]
    for name, figure in precision_recall(totals, weights).items():
        again = precision_recall(counts(repeated), np.ones((1, len(repeated)), np.int64))[name]
        assert figure[1] == pytest.approx(again[0], nan_ok=True)


def test_parts_add_up_and_an_unanswered_picture_counts_nothing() -> None:
    pictures = [match_picture(*scene(seed, (96, 128), 3, 8, masks=False), 0.5) for seed in range(8)]
    whole = counts(pictures)
    assert (sum(counts(pictures, of_class(label)) for label in range(3)) == whole).all()
    assert (sum(counts(pictures, of_size(*edges)) for edges in SIDE_RANGES.values()) == whole).all()
    assert (counts([None, pictures[0]])[0] == 0).all()


def test_nothing_to_divide_by_is_no_figure() -> None:
    figures = precision_recall(np.array([[0, 0, 3]]), np.ones((1, 1), np.int64))
    assert np.isnan(figures["precision"][0]) and figures["recall"][0] == 0 and figures["F1"][0] == 0
