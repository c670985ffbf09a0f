"""Confusion counts equal a plain bincount and scikit-learn's matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_matrix
from sklearn.metrics import jaccard_score

from deploy.metrics import confusion
from deploy.metrics.confusion import class_iou, confusion_matrix, mean_iou


@pytest.mark.parametrize("classes", [1, 2, 4, 21, 150, 255, 256])
def test_equal_to_bincount(classes: int) -> None:
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, (71, 93)).astype(np.uint8)
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, classes, truth.shape))
    joint = truth.astype(np.int64) * classes + prediction
    expected = np.bincount(joint.ravel(), minlength=classes**2).reshape(classes, classes)
    assert np.array_equal(confusion_matrix(prediction.astype(np.uint8), truth, classes), expected)


def test_equal_to_scikit_learn_with_ignored_pixels() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = (rng.integers(0, 5, (60, 80)).astype(np.uint8) for _ in range(2))
    truth[:7] = 255
    matrix = confusion_matrix(prediction, truth, 5)
    assert np.array_equal(matrix, sklearn_matrix(truth[7:].ravel(), prediction[7:].ravel()))
    expected = jaccard_score(truth[7:].ravel(), prediction[7:].ravel(), average="macro")
    assert mean_iou(matrix) == pytest.approx(expected, abs=1e-15)


def test_large_pictures_are_counted_in_exact_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confusion, "_EXACT", 1000)
    rng = np.random.default_rng(1)
    truth, prediction = (rng.integers(0, 3, (50, 97)).astype(np.uint8) for _ in range(2))
    assert np.array_equal(
        confusion_matrix(prediction, truth, 3), sklearn_matrix(truth.ravel(), prediction.ravel())
    )


def test_counts_beyond_float32_are_exact() -> None:
    labels = np.zeros((4097, 4097), np.uint8)
    assert confusion_matrix(labels, labels, 2)[0, 0] == 4097**2


def test_absent_classes_do_not_count() -> None:
    labels = np.array([[0, 0, 2]], np.uint8)
    matrix = confusion_matrix(labels, labels, 4)
    assert np.array_equal(np.isnan(class_iou(matrix)), [False, True, False, True])
    assert mean_iou(matrix) == 1.0
    assert math.isnan(mean_iou(np.zeros((2, 2), np.int64)))


def test_impossible_labels_are_refused() -> None:
    labels = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="indices of 2"):
        confusion_matrix(labels + 7, labels, 2)
    with pytest.raises(ValueError, match="256"):
        confusion_matrix(labels, labels, 257)
    with pytest.raises(ValueError, match="one size"):
        confusion_matrix(labels, labels[:1], 2)
