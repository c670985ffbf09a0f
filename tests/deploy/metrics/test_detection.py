"""Detection figures equal pycocotools, and picture weights equal repeated pictures."""

from __future__ import annotations

import pickle
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contracts.decode import YoloDecode
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.errors import DeployError
from deploy.metrics.coco_match import coco_statistics
from deploy.metrics.detection import DetectionMetric
from tests.oracles.coco import Pair, scene, twelve

SIZE = (320, 400)
CLASSES = 5
NAMES = tuple(f"class {i}" for i in range(CLASSES))
METRIC = DetectionMetric(NAMES, masks=True)


def ones(count: int) -> np.ndarray:
    return np.ones((1, count), np.int64)


@pytest.fixture(scope="module", params=[False, True], ids=["scores", "tied scores"])
def pairs(request: pytest.FixtureRequest) -> list[Pair]:
    return [scene(seed, SIZE, CLASSES, 6, ties=request.param) for seed in range(14)]


@pytest.mark.parametrize(("overlap", "prefix"), [("bbox", "box"), ("segm", "mask")])
def test_all_ones_equal_pycocotools(pairs: list[Pair], overlap: str, prefix: str) -> None:
    records = [METRIC.observe(*pair) for pair in pairs]
    expected = twelve(pairs, CLASSES, overlap)
    assert np.array_equal(coco_statistics(records, overlap), expected)
    figures = METRIC.summarise(records, ones(len(records)))
    assert figures[f"{prefix}_mAP50-95"][0] == pytest.approx(expected[0], abs=1e-12)
    assert figures[f"{prefix}_mAP50"][0] == pytest.approx(expected[1], abs=1e-12)
    sizes = METRIC.slices(records)["size"]
    for name, index in (("small", 3), ("medium", 4), ("large", 5)):
        found = METRIC.summarise(sizes[name], ones(len(records)))[f"{prefix}_mAP50-95"][0]
        assert found == pytest.approx(expected[index], abs=1e-12)


@pytest.mark.parametrize(("overlap", "prefix"), [("bbox", "box"), ("segm", "mask")])
def test_ignored_objects_are_crowds_to_pycocotools(pairs: list[Pair], overlap: str, prefix: str) -> None:
    rng = np.random.default_rng(0)
    ignoring = [(p, replace(t, ignore=rng.random(len(t.classes)) < 0.3)) for p, t in pairs]
    expected = twelve(ignoring, CLASSES, overlap)
    assert expected[0] != twelve(pairs, CLASSES, overlap)[0]
    records = [METRIC.observe(*pair) for pair in ignoring]
    assert np.array_equal(coco_statistics(records, overlap), expected)
    found = METRIC.summarise(records, ones(len(records)))[f"{prefix}_mAP50-95"][0]
    assert found == pytest.approx(expected[0], abs=1e-12)


def test_class_slices_equal_a_dataset_of_one_class(pairs: list[Pair]) -> None:
    records = [METRIC.observe(*pair) for pair in pairs]
    for name, narrowed in METRIC.slices(records)["class"].items():
        index = NAMES.index(name)
        alone = [
            (
                InstancePrediction(
                    p.boxes[p.classes == index], p.scores[p.classes == index], p.classes[p.classes == index]
                ),
                InstanceTruth(
                    t.size,
                    t.boxes[t.classes == index],
                    t.classes[t.classes == index],
                    t.masks[t.classes == index],
                ),
            )
            for p, t in pairs
        ]
        found = METRIC.summarise(narrowed, ones(len(records)))["box_mAP50-95"][0]
        assert found == pytest.approx(twelve(alone, CLASSES, "bbox")[0], abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=6, max_size=6).filter(any), st.integers(0, 50))
def test_a_weight_is_that_many_copies(weights: list[int], seed: int) -> None:
    metric = DetectionMetric(NAMES, masks=False)
    pairs = [scene(100 * seed + i, SIZE, 2, 4, masks=False) for i in range(len(weights))]
    records = [metric.observe(*pair) for pair in pairs]
    copies = [r for r, weight in zip(records, weights, strict=True) for _ in range(weight)]
    weighted = metric.summarise(records, np.array([weights], np.int64))
    repeated = metric.summarise(copies, ones(len(copies)))
    for name in metric.names:
        assert weighted[name] == pytest.approx(repeated[name], abs=1e-12, nan_ok=True)
    copied = [p for p, weight in zip(pairs, weights, strict=True) for _ in range(weight)]
    if any(len(t.classes) for _, t in copied) and any(len(p.classes) for p, _ in copied):
        assert weighted["box_mAP50-95"][0] == pytest.approx(twelve(copied, 2, "bbox")[0], abs=1e-12)


def test_replicates_are_answered_row_by_row(pairs: list[Pair]) -> None:
    records = [METRIC.observe(*pair) for pair in pairs]
    weights = np.random.default_rng(0).multinomial(len(records), [1 / len(records)] * len(records), 7)
    together = METRIC.summarise(records, weights)
    for row in range(len(weights)):
        alone = METRIC.summarise(records, weights[row : row + 1])
        for name in METRIC.names:
            assert together[name][row] == pytest.approx(alone[name][0], abs=1e-13)


def test_nothing_detected_is_zero_and_nothing_true_is_nan() -> None:
    prediction, truth = scene(3, SIZE, CLASSES, 6)
    empty = InstancePrediction(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    bare = InstanceTruth(SIZE, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert len(truth.classes)
    blind = METRIC.summarise([METRIC.observe(empty, truth)], ones(1))
    assert {name: float(value[0]) for name, value in blind.items()} == dict.fromkeys(METRIC.names, 0.0)
    idle = METRIC.summarise([METRIC.observe(prediction, bare)], ones(1))
    assert all(np.isnan(value[0]) for value in idle.values())
    unseen = METRIC.summarise([METRIC.observe(prediction, truth)], np.zeros((2, 1), np.int64))
    assert all(np.isnan(value).all() for value in unseen.values())


def test_a_truth_without_masks_makes_mask_figures_nan_and_keeps_boxes(pairs: list[Pair]) -> None:
    prediction, truth = next(pair for pair in pairs if len(pair[1].classes))
    boxes_only = InstanceTruth(truth.size, truth.boxes, truth.classes, None)
    records = [METRIC.observe(*pair) for pair in pairs] + [METRIC.observe(prediction, boxes_only)]
    figures = METRIC.summarise(records, ones(len(records)))
    assert np.isnan(figures["mask_mAP50-95"]).all()
    assert np.isnan(figures["mask_mAP50"]).all()
    assert figures["box_mAP50-95"][0] > 0


def test_bad_samples_name_the_problem() -> None:
    prediction, truth = scene(3, SIZE, CLASSES, 6)
    with pytest.raises(DeployError, match="LABEL-OUT-OF-RANGE"):
        DetectionMetric(("only one",), masks=False).observe(prediction, truth)
    boxes_only = InstancePrediction(prediction.boxes, prediction.scores, prediction.classes)
    with pytest.raises(DeployError, match="MASKS-MISSING"):
        METRIC.observe(boxes_only, truth)


def test_records_travel_between_processes(pairs: list[Pair]) -> None:
    record = METRIC.observe(*pairs[1])
    assert len(pickle.dumps(record)) < 20_000
    again = pickle.loads(pickle.dumps(record))
    assert np.array_equal(again.scores, record.scores)


def test_built_from_the_decode_block() -> None:
    decode = YoloDecode(output="out", protos="protos", class_names=NAMES, mask_coefficients=32)
    metric = DetectionMetric.for_decode(decode)
    assert metric.names == ("box_mAP50-95", "box_mAP50", "mask_mAP50-95", "mask_mAP50")
    assert metric.primary in metric.names
    assert DetectionMetric.for_decode(YoloDecode(output="out", class_names=NAMES)).names == metric.names[:2]


def test_a_thousand_replicates_of_64_pictures_and_80_classes_take_seconds() -> None:
    metric = DetectionMetric(tuple(str(i) for i in range(80)), masks=False)
    records = [metric.observe(*scene(seed, (480, 640), 80, 40, masks=False)) for seed in range(64)]
    weights = np.random.default_rng(0).multinomial(64, [1 / 64] * 64, 1000)
    start = time.process_time()
    figures = metric.summarise(records, weights)
    assert time.process_time() - start < 10
    assert figures["box_mAP50-95"].shape == (1000,)
    assert 0 < figures["box_mAP50-95"].std() < 0.1
