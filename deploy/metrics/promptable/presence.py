"""Presence: whether the model says that something is there when it is, and only then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Confusion:
    """Weights of prompts by truth and answer, each float64 (R,)."""

    true_positives: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    false_negatives: NDArray[np.float64]
    true_negatives: NDArray[np.float64]

    @property
    def positives(self) -> NDArray[np.float64]:
        """Prompts that mean something that is there."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> NDArray[np.float64]:
        """Prompts that mean nothing that is there."""
        return self.false_positives + self.true_negatives


def f1_score(counts: Confusion) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN), float64 (R,); NaN unless the set holds positives and negatives.

    On positives alone a model that says "there" to everything scores 1, and one that never does scores 0:
    neither says anything about the model.
    """
    twice = 2 * counts.true_positives
    both = (counts.positives > 0) & (counts.negatives > 0)
    return _ratio(twice, twice + counts.false_positives + counts.false_negatives, both)


def matthews(counts: Confusion) -> NDArray[np.float64]:
    """Matthews correlation (SAM 3's IL_MCC, arXiv 2511.16719), float64 (R,), -1..1.

    NaN where truth or answers are all of one class: a correlation with a constant is not defined.
    (scikit-learn and SAM 3 write 0 there, which reads like a measurement.)
    """
    tp, fp = counts.true_positives, counts.false_positives
    fn, tn = counts.false_negatives, counts.true_negatives
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return _ratio(tp * tn - fp * fn, np.sqrt(product), product > 0)


def false_positive_rate(counts: Confusion) -> NDArray[np.float64]:
    """FP / (FP + TN), float64 (R,); NaN where no prompt is a negative."""
    return _ratio(counts.false_positives, counts.negatives, counts.negatives > 0)


def why_undefined(metric: str, tp: int, fp: int, fn: int, tn: int) -> str | None:
    """The reason why a presence figure is null on these counts; ``None`` where it is defined."""
    if tp + fn + fp + tn == 0:
        return "no prompt of this kind was asked"
    if metric == "presence_FPR":
        return None if fp + tn else "no prompt of this kind asks for something absent"
    if fp + tn == 0:
        return "one class only: every prompt of this kind asks for something that is there"
    if tp + fn == 0:
        return "one class only: every prompt of this kind asks for something absent"
    if metric != "presence_F1" and fn + tn == 0:
        return "the model says that everything is there; a correlation with a constant is not defined"
    if metric != "presence_F1" and tp + fp == 0:
        return "the model says that nothing is there; a correlation with a constant is not defined"
    return None


def _ratio(
    top: NDArray[np.float64], bottom: NDArray[np.float64], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    result = np.full(np.shape(top), np.nan)
    np.divide(top, bottom, out=result, where=where)
    return result
