"""Decoders say what the libraries they stand in for would say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deploy.contracts.decode import BinaryMaskDecode, ClassifyDecode, TensorsDecode, YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode import DECODERS
from deploy.decode.binary_mask import BinaryMaskDecoder
from deploy.decode.classify import ClassifyDecoder
from deploy.decode.nms import box_iou, non_maximum_suppression
from deploy.decode.predictions import ClassPrediction, InstancePrediction, MaskPrediction, TensorPrediction
from deploy.decode.tensors import TensorsDecoder
from deploy.decode.yolo import YoloDecoder
from deploy.vision.geometry import Geometry
from deploy.vision.preprocess import place

BLOCK = Preprocess(input_name="image", width=64, height=64)
WHOLE = Geometry((64, 64), (64, 64), (1.0, 1.0), (0.0, 0.0))
NAMES = ("a", "b", "c")


def boxes_of(rng: np.random.Generator, count: int, size: float = 64) -> np.ndarray:
    """Random boxes x1 y1 x2 y2, float32 (count, 4)."""
    corner = rng.uniform(0, size * 0.8, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(2, size * 0.5, (count, 2))], 1).astype(np.float32)


# suppression


@pytest.mark.parametrize("iou", [0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("count", [0, 1, 40, 400])
def test_nms_keeps_the_indices_torchvision_keeps(count: int, iou: float) -> None:
    from torchvision.ops import batched_nms

    for seed in range(10):
        rng = np.random.default_rng(seed)
        boxes = boxes_of(rng, count)
        scores = rng.permutation(count).astype(np.float32) / 1000
        classes = rng.integers(0, 3, count)
        theirs = batched_nms(*(torch.from_numpy(x) for x in (boxes, scores, classes)), iou).numpy()
        assert np.array_equal(non_maximum_suppression(boxes, scores, classes, iou, count + 1), theirs)
        assert np.array_equal(non_maximum_suppression(boxes, scores, classes, iou, 7), theirs[:7])


def test_equal_scores_keep_their_order() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    kept = non_maximum_suppression(boxes, np.full(3, 0.5, np.float32), np.zeros(3, np.int64), 0.5, 9)
    assert kept.tolist() == [0, 2]


def test_box_iou_is_torchvisions() -> None:
    from torchvision.ops import box_iou as theirs

    rng = np.random.default_rng(0)
    a, b = boxes_of(rng, 30), boxes_of(rng, 20)
    expected = theirs(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(box_iou(a, b), expected, rtol=1e-5)
    flat = np.zeros((2, 4), np.float32)
    assert not box_iou(flat, flat).any()


# yolo


def head(rng: np.random.Generator, anchors: int, coefficients: int = 0) -> np.ndarray:
    """A synthetic head output, float32 (1, 4 + 3 + coefficients, anchors), 64 px input."""
    size = rng.uniform(4, 30, (2, anchors))
    centre = rng.uniform(10, 54, (2, anchors))
    scores = rng.uniform(0, 1, (3, anchors)) ** 3
    rest = rng.normal(size=(coefficients, anchors))
    return np.concatenate([centre, size, scores, rest])[None].astype(np.float32)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("confidence", [0.001, 0.25])
def test_yolo_boxes_are_ultralytics(multi_label: bool, confidence: float) -> None:
    suppress = pytest.importorskip("ultralytics.utils.nms").non_max_suppression
    spec = YoloDecode(output="head", class_names=NAMES, confidence=confidence, multi_label=multi_label)
    decoder = YoloDecoder(spec, BLOCK)
    for seed in range(8):
        raw = head(np.random.default_rng(seed), 300)
        theirs = suppress(
            torch.from_numpy(raw.copy()), confidence, spec.iou, multi_label=multi_label, max_det=300
        )[0].numpy()
        ours = decoder.decode({"head": raw}, Geometry((64, 64), (64, 64), (1.0, 1.0), (0.0, 0.0)))
        np.testing.assert_array_equal(ours.scores, theirs[:, 4])
        np.testing.assert_array_equal(ours.classes, theirs[:, 5])
        np.testing.assert_allclose(ours.boxes, np.clip(theirs[:, :4], 0, 64), atol=1e-4)
        assert ours.masks is None


def test_yolo_masks_are_ultralytics_native_ones() -> None:
    """Prototype masks at picture size against ``process_mask_native`` where padding falls on whole cells.

    It rounds boxes up where we round to nearest, so a box's edge may differ by a pixel; and it clamps at the
    padding where we interpolate half a cell (8 px here) into it.
    """
    ops = pytest.importorskip("ultralytics.utils.ops")
    rng = np.random.default_rng(3)
    picture = np.zeros((192, 256, 3), np.uint8)
    block = BLOCK.model_copy(update={"resize": "letterbox"})
    _, geometry = place(picture, block)
    raw = head(rng, 60, coefficients=4)
    protos = torch.nn.functional.interpolate(
        torch.from_numpy(rng.normal(size=(1, 4, 4, 4)).astype(np.float32)), (16, 16), mode="bicubic"
    )
    spec = YoloDecode(output="head", protos="protos", class_names=NAMES, mask_coefficients=4)
    found = YoloDecoder(spec, block).decode({"head": raw, "protos": protos.numpy()}, geometry)
    kept = _chosen(raw, found.scores)
    theirs = ops.process_mask_native(
        protos[0], torch.from_numpy(raw[0, 7:, kept]), torch.from_numpy(found.boxes), picture.shape[:2]
    ).numpy()
    assert found.masks is not None
    assert found.masks.shape == theirs.shape == (len(kept), 192, 256)
    assert found.masks.any(axis=(1, 2)).sum() > 20
    for mask, other, (x1, y1, x2, y2) in zip(found.masks, theirs, found.boxes, strict=True):
        inside = (slice(max(8, int(y1) + 2), min(184, int(y2) - 1)), slice(int(x1) + 2, int(x2) - 1))
        assert (mask[inside] != other[inside].astype(bool)).sum() <= 1  # a logit within rounding of zero
        rows, columns = np.nonzero(mask)
        if rows.size:
            assert x1 - 0.5 <= columns.min() and columns.max() + 1 <= x2 + 0.5
            assert y1 - 0.5 <= rows.min() and rows.max() + 1 <= y2 + 0.5


def _chosen(raw: np.ndarray, scores: np.ndarray) -> list[int]:
    best = raw[0, 4:7].max(axis=0)
    return [int(np.flatnonzero(best == score)[0]) for score in scores]


def test_yolo_without_objects() -> None:
    spec = YoloDecode(output="head", protos="protos", class_names=NAMES, mask_coefficients=2)
    raw = np.zeros((1, 9, 20), np.float32)
    found = YoloDecoder(spec, BLOCK).decode(
        {"head": raw, "protos": np.zeros((1, 2, 16, 16), np.float32)}, WHOLE
    )
    assert found.boxes.shape == (0, 4)
    assert found.masks is not None
    assert found.masks.shape == (0, 64, 64)


# masks and classes


@given(st.floats(0.01, 0.99), st.integers(0, 1000))
def test_a_mask_is_where_the_sigmoid_passes_the_threshold(threshold: float, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(1, 1, 64, 64)).astype(np.float32) * 3
    decoder = BinaryMaskDecoder(BinaryMaskDecode(output="logits", threshold=threshold), BLOCK)
    mask = decoder.decode({"logits": logits}, WHOLE).mask
    chance = 1 / (1 + np.exp(-logits[0, 0].astype(np.float64)))
    clear = np.abs(chance - threshold) > 1e-6
    assert np.array_equal(mask[clear], (chance > threshold)[clear])


def test_a_mask_is_resampled_before_it_is_cut() -> None:
    coarse = np.full((1, 1, 2, 2), -1.0, np.float32)
    coarse[..., 1] = 1.0
    geometry = Geometry((10, 40), (64, 64), (64 / 40, 64 / 10), (0.0, 0.0))
    mask = BinaryMaskDecoder(BinaryMaskDecode(output="x"), BLOCK).decode({"x": coarse}, geometry).mask
    assert mask.shape == (10, 40)
    assert mask[:, 20:].all()
    assert not mask[:, :20].any()


def test_classes_are_torchs_softmax() -> None:
    logits = np.random.default_rng(0).normal(size=(1, 1000)).astype(np.float32) * 20
    scores = ClassifyDecoder(ClassifyDecode(output="y"), BLOCK).decode({"y": logits}, WHOLE).scores
    np.testing.assert_allclose(scores, torch.from_numpy(logits)[0].softmax(0).numpy(), rtol=1e-5, atol=1e-9)
    huge = np.array([[1e4, 0, -1e4]], np.float32)
    assert ClassifyDecoder(ClassifyDecode(output="y"), BLOCK).decode({"y": huge}, WHOLE).scores[0] == 1


# agreement


def instances(seed: int) -> InstancePrediction:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 12))
    scores = np.sort(rng.uniform(0, 1, count).astype(np.float32))[::-1]
    return InstancePrediction(boxes_of(rng, count), scores, rng.integers(0, 3, count))


def predictions(kind: str, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if kind == "binary_mask":
        return MaskPrediction(rng.uniform(size=(8, 8)) < rng.uniform(0, 1))
    if kind == "classify":
        return ClassPrediction(rng.uniform(size=3).astype(np.float32))
    if kind == "yolo":
        return instances(seed)
    return TensorPrediction({"x": rng.normal(size=5).astype(np.float32), "n": rng.integers(0, 3, 4)})


DECODES = {
    "binary_mask": BinaryMaskDecode(output="x"),
    "classify": ClassifyDecode(output="x"),
    "yolo": YoloDecode(output="x", class_names=NAMES),
    "tensors": TensorsDecode(),
}


@pytest.mark.parametrize("kind", DECODERS.names())
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_agreement_is_one_for_itself_symmetric_and_a_share(kind: str, one: int, two: int) -> None:
    decoder = DECODERS.open(kind)(DECODES[kind], BLOCK)
    first, second = predictions(kind, one), predictions(kind, two)
    assert decoder.agreement(first, first) == pytest.approx(1.0)
    assert decoder.agreement(first, second) == pytest.approx(decoder.agreement(second, first))
    assert 0.0 <= decoder.agreement(first, second) <= 1.0


def test_agreement_counts_what_differs() -> None:
    decoder = YoloDecoder(DECODES["yolo"], BLOCK)
    one = InstancePrediction(
        np.array([[0, 0, 10, 10], [30, 30, 50, 50]], np.float32), np.ones(2, np.float32), np.array([0, 1])
    )
    other = InstancePrediction(one.boxes, one.scores, np.array([0, 2]))
    none = InstancePrediction(one.boxes[:0], one.scores[:0], one.classes[:0])
    assert decoder.agreement(one, other) == 0.5
    assert decoder.agreement(one, none) == 0.0
    assert decoder.agreement(none, none) == 1.0
    masks = BinaryMaskDecoder(DECODES["binary_mask"], BLOCK)
    empty, full = MaskPrediction(np.zeros((2, 2), bool)), MaskPrediction(np.ones((2, 2), bool))
    half = MaskPrediction(np.eye(2, dtype=bool))
    assert masks.agreement(empty, empty) == 1.0
    assert masks.agreement(empty, full) == 0.0
    assert masks.agreement(half, full) == 0.5
    tensors = TensorsDecoder(TensorsDecode(), None)
    zero, some = TensorPrediction({"x": np.zeros(3)}), TensorPrediction({"x": np.ones(3)})
    assert tensors.agreement(zero, zero) == 1.0
    assert tensors.agreement(zero, some) == 0.0


@pytest.mark.parametrize("kind", DECODERS.names())
def test_packing_changes_nothing_agreement_sees(kind: str) -> None:
    from export.evaluation.compact import pack, unpack

    decoder = DECODERS.open(kind)(DECODES[kind], BLOCK)
    for seed in range(5):
        one, two = predictions(kind, seed), predictions(kind, seed + 100)
        again = unpack(pack(one))
        assert decoder.agreement(one, again) == pytest.approx(1.0)
        assert decoder.agreement(again, two) == decoder.agreement(one, two)
