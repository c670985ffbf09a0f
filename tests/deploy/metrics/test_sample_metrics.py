"""Mask and classification metrics: hand-made figures, slices that keep N, and weights as copies."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contracts.decode import BinaryMaskDecode, ClassifyDecode
from deploy.decode.predictions import ClassPrediction, ClassTruth, MaskPrediction
from deploy.errors import DeployError
from deploy.metrics import METRICS
from deploy.metrics.binary_mask import BinaryMaskMetric
from deploy.metrics.top1 import Top1Metric
from tests.oracles import davis
from tests.oracles.pictures import blobs, shaken


def masks(count: int) -> list[tuple[MaskPrediction, MaskPrediction]]:
    truths = [blobs(60, 80, seed, count=seed % 3) for seed in range(count)]
    return [
        (MaskPrediction(shaken(truth, seed, 2)), MaskPrediction(truth)) for seed, truth in enumerate(truths)
    ]


def test_mask_figures_are_means_of_per_sample_figures() -> None:
    metric, pairs = BinaryMaskMetric(), masks(9)
    records = [metric.observe(*pair) for pair in pairs]
    figures = metric.summarise(records, np.ones((1, 9), np.int64))
    region = np.mean([davis.region(p.mask, t.mask) for p, t in pairs])
    boundary = np.mean([davis.boundary(p.mask, t.mask) for p, t in pairs])
    assert figures["mIoU"][0] == pytest.approx(region, abs=1e-15)
    assert figures["boundary_F"][0] == pytest.approx(boundary, abs=1e-15)
    assert figures["J&F"][0] == pytest.approx((region + boundary) / 2, abs=1e-15)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=9, max_size=9).filter(any))
def test_a_mask_weight_is_that_many_copies(weights: list[int]) -> None:
    metric = BinaryMaskMetric()
    records = [metric.observe(*pair) for pair in masks(9)]
    copies = [r for r, weight in zip(records, weights, strict=True) for _ in range(weight)]
    weighted = metric.summarise(records, np.array([weights]))
    repeated = metric.summarise(copies, np.ones((1, len(copies)), np.int64))
    for name in metric.names:
        assert weighted[name] == pytest.approx(repeated[name], abs=1e-12)


def test_mask_slices_by_true_size() -> None:
    metric = BinaryMaskMetric()
    truths = [np.zeros((100, 100), np.bool_) for _ in range(4)]
    for truth, pixels in zip(truths, (0, 20, 100, 400), strict=True):
        truth.ravel()[:pixels] = True
    records = [metric.observe(MaskPrediction(t), MaskPrediction(t)) for t in truths]
    sizes = metric.slices(records)["size"]
    assert list(sizes) == ["none", "small", "medium", "large"]
    for index, narrowed in enumerate(sizes.values()):
        assert len(narrowed) == 4
        only = np.zeros((1, 4), np.int64)
        only[0, index] = 3
        assert metric.summarise(narrowed, only)["mIoU"][0] == 1.0
        assert np.isnan(metric.summarise(narrowed, 1 - np.minimum(only, 1))["mIoU"][0])
    assert "none" not in metric.slices(records[1:])["size"]


def classified(scores: list[float], label: int) -> tuple[ClassPrediction, ClassTruth]:
    return ClassPrediction(np.array(scores, np.float32)), ClassTruth(label)


def test_top1_and_top5() -> None:
    metric = Top1Metric([f"c{i}" for i in range(7)])
    scores = [0.4, 0.3, 0.1, 0.08, 0.06, 0.04, 0.02]
    records = [metric.observe(*classified(scores, label)) for label in range(7)]
    figures = metric.summarise(records, np.ones((1, 7), np.int64))
    assert figures["top1"][0] == pytest.approx(1 / 7)
    assert figures["top5"][0] == pytest.approx(5 / 7)


def test_ties_go_to_the_lower_index_and_nan_never_wins() -> None:
    metric = Top1Metric(["a", "b"])
    assert metric.names == ("top1",)
    assert metric.observe(*classified([0.5, 0.5], 0)).rank == 0
    assert metric.observe(*classified([0.5, 0.5], 1)).rank == 1
    assert metric.observe(*classified([float("nan"), 0.5], 0)).rank == 2


def test_unnamed_few_classes_have_no_top5() -> None:
    metric = Top1Metric.for_decode(ClassifyDecode(output="logits"))
    records = [metric.observe(*classified([0.2, 0.8], 1))]
    figures = metric.summarise(records, np.ones((1, 1), np.int64))
    assert figures["top1"][0] == 1.0
    assert np.isnan(figures["top5"][0])


def test_class_slices() -> None:
    metric = Top1Metric(["cat", "dog"])
    records = [metric.observe(*classified([0.9, 0.1], label)) for label in (0, 1, 0)]
    slices = metric.slices(records)["class"]
    weights = np.ones((1, 3), np.int64)
    assert metric.summarise(slices["cat"], weights)["top1"][0] == 1.0
    assert metric.summarise(slices["dog"], weights)["top1"][0] == 0.0
    assert len(slices["dog"]) == 3


def test_a_label_the_model_does_not_have_is_an_error() -> None:
    with pytest.raises(DeployError, match="LABEL-OUT-OF-RANGE"):
        Top1Metric().observe(*classified([0.9, 0.1], 2))


def test_every_line_of_the_door_plate_opens_and_fits() -> None:
    for name in METRICS:
        plug = METRICS.open(name)
        assert all(
            hasattr(plug, part) for part in ("observe", "summarise", "slices", "for_decode", "primary")
        )


def test_built_from_decode_blocks() -> None:
    assert BinaryMaskMetric.for_decode(BinaryMaskDecode(output="mask")).primary == "mIoU"
    names = tuple("abcdef")
    assert Top1Metric.for_decode(ClassifyDecode(output="x", class_names=names)).names == ("top1", "top5")


def test_observations_are_small() -> None:
    metric = BinaryMaskMetric()
    assert len(pickle.dumps(metric.observe(*masks(2)[1]))) < 500
