"""Average precision under many sets of picture weights at once, from matches that were made once.

A picture that is drawn k times by the bootstrap brings its detections and true objects k times. Copies of
a detection stand next to each other in the ranking, so the copies' precision and recall need no room of
their own: only the last copy's can be the best from there on, and any recall level that is reached inside
the copies is answered with that best. Cumulative sums of weights therefore give the figure of the
duplicated dataset exactly, at the cost of one pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.coco_match import ClassMatches, Matches

_CELLS = 2_000_000
_TINY = np.spacing(1.0)  # pycocotools adds it to the denominator of precision


def average_precisions(matches: Matches, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over classes of the 101-point interpolated average precision (pycocotools ``accumulate``).

    A class counts in a replicate in which it has a true object that counts. Detections are ranked by score,
    ties in picture order; ties inside one picture stand picture by picture in a duplicated dataset and
    detection by detection here, which is the one thing that may differ.

    Args:
        matches: from ``match``.
        weights: int64 (R, N), how often each picture counts.

    Returns:
        float64 (T, R), a row for each IoU threshold; NaN where no class has a true object.
    """
    total = np.zeros((len(matches.iou), len(weights)))
    classes = np.zeros(len(weights))
    for one in matches.classes:
        positives = weights @ one.positives
        present = np.flatnonzero(positives > 0)
        step = max(1, _CELLS // max(1, len(one.picture)))
        for start in range(0, len(present), step):
            rows = present[start : start + step]
            drawn = weights[rows][:, one.picture].astype(np.float64)
            total[:, rows] += _precisions(one, drawn, positives[rows], matches.recall)
        classes[present] += 1
    result = np.full(total.shape, np.nan)
    np.divide(total, classes, out=result, where=classes > 0)
    return result


def _precisions(
    one: ClassMatches, drawn: NDArray[np.float64], positives: NDArray[np.int64], recall: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One class's average precision, float64 (T, R), from weights of its ranked detections (R, n)."""
    everything = np.cumsum(drawn, axis=1) if one.counted.all() else None
    result = np.zeros((len(one.hit), len(drawn)))
    for index, (hit, counted) in enumerate(zip(one.hit, one.counted, strict=True)):
        columns = np.flatnonzero(hit & counted)
        if len(columns) == 0:
            continue
        ranked = np.cumsum(drawn * counted, axis=1) if everything is None else everything
        result[index] = _interpolated(drawn[:, columns], ranked[:, columns], positives, recall)
    return result


def _interpolated(
    hits: NDArray[np.float64],
    ranked: NDArray[np.float64],
    positives: NDArray[np.int64],
    recall: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean over recall levels of the best precision at that recall or more, float64 (R,).

    Only true positives are looked at: misses never raise precision, and never reach a recall level.

    Args:
        hits: (R, k), weights of the k true positives in rank order.
        ranked: (R, k), weight of all counted detections up to each of them.
        positives: (R,), weight of the true objects, above 0.
        recall: (101,), the recall levels, rising from 0.
    """
    found = np.cumsum(hits, axis=1)
    precision = found / (ranked + _TINY)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(recall, found / positives[:, None], side="right")
    levels = np.diff(reached, axis=1, prepend=0)
    return np.asarray((best * levels).sum(axis=1) / len(recall), dtype=np.float64)
