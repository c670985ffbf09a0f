"""Precision, recall and F1 at every confidence, from boxes that were found once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from deploy.contracts.tiled_report import RowName, SweepPoint, TiledProtocol
from deploy.decode.predictions import InstanceTruth
from deploy.metrics.tiled.figures import counts, precision_recall
from deploy.statistics.bootstrap import known
from export.evaluation.tiled.rows import Answers, match_all

CONFIDENCES = tuple(round(0.05 * step, 2) for step in range(1, 20))


def sweep(
    names: Sequence[RowName],
    answer: Callable[[RowName, float], Answers],
    truths: Sequence[InstanceTruth],
    protocol: TiledProtocol,
) -> list[SweepPoint]:
    """A point for every row and confidence above the protocol's floor.

    Boxes are merged again at every confidence: which boxes a merged one has swallowed depends on where the
    cut is made, so that cutting merged boxes afterwards would be another detector.

    Args:
        answer: predictions of a row at a confidence for all classes.
    """
    points = []
    for name in names:
        for confidence in (each for each in CONFIDENCES if each >= protocol.floor):
            totals = counts(match_all(answer(name, confidence), truths, protocol))
            figures = precision_recall(totals, np.ones((1, len(totals)), np.int64))
            precision, recall, f1 = (known(float(values[0])) for values in figures.values())
            points.append(
                SweepPoint(row=name, confidence=confidence, precision=precision, recall=recall, f1=f1)
            )
    return points
