"""Precision, recall and F1 of pictures under bootstrap weights, whole and in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.tiled.matching import Matched

VERSIONS = {"precision": 1, "recall": 1, "F1": 1, "causes": 1, "box_mAP50": 1, "box_mAP50-95": 1}
"""Moves when a figure's definition does; part of the protocol's hash."""

Part = Callable[[Matched], tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""A part of the detections and of the true objects of a picture: bool (N,) and bool (M,)."""


def counts(pictures: Sequence[Matched | None], part: Part | None = None) -> NDArray[np.int64]:
    """True positives, false positives and missed objects of every picture, int64 (N, 3).

    A detection belongs to a part by what it met, and by itself where it met nothing. ``None`` is a picture
    without an answer, which counts nothing.
    """
    rows = np.zeros((len(pictures), 3), np.int64)
    for row, each in zip(rows, pictures, strict=True):
        if each is None:
            continue
        mine = np.ones(len(each.scores), np.bool_)
        theirs = np.ones(len(each.truth_classes), np.bool_)
        if part is not None:
            mine, theirs = part(each)
        right = each.true_positives
        row[:] = (
            np.count_nonzero(right & np.append(theirs, False)[each.truth_of]),
            np.count_nonzero(each.false_positives & mine),
            np.count_nonzero(each.missed & theirs),
        )
    return rows


def of_class(label: int) -> Part:
    """Detections and objects of one class."""
    return lambda each: (each.classes == label, each.truth_classes == label)


def of_size(low: float, high: float) -> Part:
    """Detections and objects whose side (square root of the area, pixels) lies in [low, high)."""
    return lambda each: (
        (each.sides >= low) & (each.sides < high),
        (each.truth_sides >= low) & (each.truth_sides < high),
    )


def precision_recall(totals: NDArray[np.int64], weights: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """``precision``, ``recall`` and ``F1`` under picture weights: int64 (N, 3) and (R, N) to float64 (R,).

    A figure without anything to divide by is NaN: precision without a detection, recall without an object.
    F1 is 2 TP / (2 TP + FP + FN).
    """
    right, wrong, missed = (weights @ totals).T.astype(np.float64)
    return {
        "precision": _ratio(right, right + wrong),
        "recall": _ratio(right, right + missed),
        "F1": _ratio(2 * right, 2 * right + wrong + missed),
    }


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return share
