"""Predicted masks matched to true ones so that the sum of IoU is largest; a missed truth counts 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError

MATCHER = "hungarian-iou/1"
"""Name and version of the matching, part of every protocol."""


@dataclass(frozen=True)
class Match:
    """For every true mask its IoU, float64 (T,), and its partner, int64 (T,), -1 where it was missed."""

    ious: NDArray[np.float64]
    partner: NDArray[np.int64]


def iou_matrix(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of every pair, float64 (K, T); two empty masks have 0.

    Args:
        predicted: bool (K, H, W).
        truth: bool (T, H, W).
    """
    pixels = truth.shape[1] * truth.shape[2]
    first = predicted.reshape(len(predicted), pixels).astype(np.float32)
    second = truth.reshape(len(truth), pixels).astype(np.float32)
    overlap = (first @ second.T).astype(np.float64)  # exact: counts stay below 2^24
    areas = first.sum(axis=1, dtype=np.float64)[:, None] + second.sum(axis=1, dtype=np.float64)[None, :]
    union = areas - overlap
    result = np.zeros_like(overlap)
    np.divide(overlap, union, out=result, where=union > 0)
    return result


def match_masks(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Match:
    """Assign each prediction to one truth at most (Kuhn 1955, by ``scipy.optimize.linear_sum_assignment``).

    No truth is ever left out, also where there are more of them than predictions: those count 0. Surplus
    predictions raise nothing. A pair that does not overlap is no pair.

    Args:
        predicted: bool (K, H, W), the masks that were kept.
        truth: bool (T, H, W).
    """
    ious, partner = np.zeros(len(truth)), np.full(len(truth), -1, np.int64)
    if len(predicted) and len(truth):
        table = iou_matrix(predicted, truth)
        for row, column in zip(*assign(table), strict=True):
            if table[row, column] > 0:
                ious[column], partner[column] = table[row, column], row
    return Match(ious, partner)


def assign(gain: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the assignment with the largest sum of ``gain``, float64 (K, T)."""
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise DeployError(
            "EXTRA-MISSING",
            "Matching masks needs scipy, which is not installed.",
            "Install it: pip install 'pocketproof[train]'",
        ) from error
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return rows.astype(np.int64), columns.astype(np.int64)
