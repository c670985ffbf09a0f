"""Every figure of a set of records under many sets of picture weights at once: the cluster bootstrap.

Prompts on one picture are no independent samples, so pictures are drawn, with all their prompts. Each figure
is a ratio of sums over pictures; the sums are made once, and a replicate is one row of weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.coco_average import average_precisions
from deploy.metrics.coco_match import match
from deploy.metrics.promptable.presence import Confusion, f1_score, false_positive_rate, matthews
from deploy.metrics.promptable.records import IOU_THRESHOLDS, PromptRecord
from deploy.metrics.promptable.separation import Difference

VERSIONS: dict[str, int] = {
    "mIoU": 1,
    "boundary_F": 1,
    "mask_AP": 1,
    "mask_AP50": 1,
    "positive_micro_F1": 1,
    "cgF1": 1,
    "presence_F1": 1,
    "IL_MCC": 1,
    "presence_FPR": 1,
    "sensitivity": 1,
    "selectivity": 1,
    "teacher_mIoU": 1,
}
"""Every figure and the version of its definition; a new definition is another protocol."""

_LEVELS = len(IOU_THRESHOLDS)
_COLUMNS = 9
_AP_REPLICATES = 200


class Totals:
    """Weighted sums of records.

    Args:
        records: the answers of one model to prompts of one kind.
        weights: int64 (R, N), how often each of the N pictures counts.
    """

    def __init__(self, records: Sequence[PromptRecord], weights: NDArray[np.int64]) -> None:
        self.records = tuple(records)
        self.weights = weights
        table = np.zeros((weights.shape[1], _COLUMNS + 2 * _LEVELS))
        for each in records:
            table[each.asked.picture] += _columns(each)
        self._sums = weights.astype(np.float64) @ table

    def presence(self) -> Confusion:
        """Presence counts, float64 (R,) each."""
        return Confusion(*(self._sums[:, column] for column in range(4)))

    def mean_iou(self) -> NDArray[np.float64]:
        """Sum of IoU over all true objects, a missed one 0, divided by their number; float64 (R,)."""
        return _ratio(self._sums[:, 5], self._sums[:, 4])

    def boundary(self) -> NDArray[np.float64]:
        """The same with DAVIS-2017's boundary F of each object and its match; float64 (R,)."""
        return _ratio(self._sums[:, 6], self._sums[:, 4])

    def positive_micro_f1(self) -> NDArray[np.float64]:
        """SAM 3's pmF1 (arXiv 2511.16719): 2 TP / (2 TP + FP + FN) summed over prompts whose objects are
        there, at each of ``IOU_THRESHOLDS``, then their mean; float64 (R,)."""
        hits = self._sums[:, _COLUMNS : _COLUMNS + _LEVELS]
        false = self._sums[:, _COLUMNS + _LEVELS :]
        truths = self._sums[:, 4:5]
        missed = truths - hits
        result = np.full(hits.shape, np.nan)
        np.divide(2 * hits, 2 * hits + false + missed, out=result, where=truths > 0)
        return np.asarray(result.mean(axis=1), np.float64)

    def selectivity(self) -> NDArray[np.float64]:
        """Mean of ``separations``, float64 (R,)."""
        return _ratio(self._sums[:, 7], self._sums[:, 8])

    def teacher_iou(self) -> NDArray[np.float64]:
        """Mean IoU over the teacher's kept masks, a missed one 0; float64 (R,). NaN without a teacher."""
        counts = np.array([0 if r.teacher_ious is None else len(r.teacher_ious) for r in self.records])
        sums = np.array([0.0 if r.teacher_ious is None else r.teacher_ious.sum() for r in self.records])
        pictures = [r.asked.picture for r in self.records]
        return _ratio(
            _weighted(pictures, sums, self.weights), _weighted(pictures, counts.astype(float), self.weights)
        )


def summarise(
    records: Sequence[PromptRecord], differences: Mapping[int, Difference], weights: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Every figure of ``VERSIONS``, float64 (R,), NaN where it is not defined.

    Args:
        records: the answers of one model to prompts of one kind.
        differences: picture to how far its answers lie apart.
        weights: int64 (R, N); row 0 is the pictures as they are. Average precision, the slowest figure, is
            taken of the first 201 rows.
    """
    totals = Totals(records, weights)
    correlation, masks = matthews(totals.presence()), totals.positive_micro_f1()
    spread = _weighted(list(differences), np.array([d.total for d in differences.values()]), weights)
    pairs = _weighted(list(differences), np.array([float(d.pairs) for d in differences.values()]), weights)
    precisions = _average_precisions(records, weights[: _AP_REPLICATES + 1])
    return {
        "mIoU": totals.mean_iou(),
        "boundary_F": totals.boundary(),
        "mask_AP": precisions.mean(axis=0),
        "mask_AP50": precisions[0],
        "positive_micro_F1": masks,
        "cgF1": masks * correlation,
        "presence_F1": f1_score(totals.presence()),
        "IL_MCC": correlation,
        "presence_FPR": false_positive_rate(totals.presence()),
        "sensitivity": _ratio(spread, pairs),
        "selectivity": totals.selectivity(),
        "teacher_mIoU": totals.teacher_iou(),
    }


def _columns(each: PromptRecord) -> NDArray[np.float64]:
    """Four presence counts, true objects, sums of IoU, F and separation with its count, hits and
    false masks on positives at each level; float64 (29,)."""
    there = len(each.ious) > 0
    presence = (there and each.said, not there and each.said, there and not each.said)
    separate = not np.isnan(each.separation)
    row = np.zeros(_COLUMNS + 2 * _LEVELS)
    row[:3] = presence
    row[3] = not there and not each.said
    row[4:7] = len(each.ious), each.ious.sum(), each.boundaries.sum()
    row[7:9] = (each.separation, 1) if separate else (0, 0)
    row[_COLUMNS : _COLUMNS + _LEVELS] = each.hits
    row[_COLUMNS + _LEVELS :] = each.kept - each.hits if there else 0
    return row


def _average_precisions(records: Sequence[PromptRecord], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """COCO's mask average precision with a phrase as a class, float64 (10, R); every answer is a picture of
    its own, so that masks meet the truth of their own prompt only."""
    if not records:
        return np.full((_LEVELS, len(weights)), np.nan)
    pictures = [each.asked.picture for each in records]
    return average_precisions(match([each.detections for each in records], "segm"), weights[:, pictures])


def _weighted(
    pictures: Sequence[int], values: NDArray[np.float64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weighted sum of values that belong to pictures, float64 (R,)."""
    if len(pictures) == 0:
        return np.zeros(len(weights))
    return np.asarray(weights[:, list(pictures)] @ values, np.float64)


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.full(np.shape(top), np.nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result
