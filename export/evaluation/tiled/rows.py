"""A row of the table: figures with intervals, causes of what is wrong, parts, and the gain over no tiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tiled_report import RowName, TiledFigure, TiledProtocol, TiledRow, TiledSlice
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.metrics.coco_records import SIDE_RANGES, DetectionRecord
from deploy.metrics.detection import DetectionMetric
from deploy.metrics.tiled.causes import CAUSES, causes, convincing_scores
from deploy.metrics.tiled.figures import Part, counts, of_class, of_size, precision_recall
from deploy.metrics.tiled.matching import Matched, match_picture
from deploy.statistics.bootstrap import interval, known

Answers = Sequence[InstancePrediction | None]
"""One prediction a picture; ``None`` where the gate left it without an answer."""


_SLICE_ROWS = 401
"""Replicates that a part's intervals take, and the pictures as they are."""

Axis = Literal["class", "size"]


@dataclass(frozen=True)
class Scored:
    """A row, its pairs by picture, and the replicates of its F1, float64 (R,); the first is the value."""

    row: TiledRow
    matched: tuple[Matched | None, ...]
    f1: NDArray[np.float64]


def ignored_objects(truth: InstanceTruth, share: float) -> NDArray[np.bool_]:
    """Bool (M,): objects marked so, and those below a share of the picture's area."""
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
    small = sides[:, 0] * sides[:, 1] < share * truth.size[0] * truth.size[1]
    marked: NDArray[np.bool_] = small if truth.ignore is None else small | truth.ignore
    return marked


def match_all(
    answers: Answers, truths: Sequence[InstanceTruth], protocol: TiledProtocol
) -> list[Matched | None]:
    """Pairs of every picture."""
    return [
        None
        if answer is None
        else match_picture(answer, truth, protocol.iou, ignored_objects(truth, protocol.ignore_area))
        for answer, truth in zip(answers, truths, strict=True)
    ]


def score(
    name: RowName,
    answers: Answers,
    ranked: Answers,
    truths: Sequence[InstanceTruth],
    protocol: TiledProtocol,
    weights: NDArray[np.int64],
    baseline: Scored | None,
) -> Scored:
    """Make a row.

    Args:
        answers: what an app would get, at the protocol's confidences.
        ranked: the same from the floor on, for average precision.
        weights: int64 (R, N) picture weights; row 0 is the pictures as they are.
        baseline: the row without tiles, ``None`` for itself.
    """
    matched = match_all(answers, truths, protocol)
    seen = [each for each in matched if each is not None]
    totals = counts(matched)
    kept, records = _observed(ranked, truths, protocol)
    replicates = precision_recall(totals, weights)
    replicates |= DetectionMetric(protocol.classes, masks=False).summarise(records, weights[:, kept])
    objects = int(sum(each.counts.sum() for each in seen))
    figures = [_figure(metric, values, objects) for metric, values in replicates.items()]
    sure = convincing_scores(seen, len(protocol.classes))
    found = Counter(cause for each in seen for _, cause in causes(each, protocol.iou, sure))
    gain = None
    if baseline is not None:
        gain = _figure("F1", replicates["F1"] - baseline.f1, objects)
    row = TiledRow(
        name=name,
        figures=tuple(figures),
        true_positives=int(totals[:, 0].sum()),
        false_positives=int(totals[:, 1].sum()),
        missed=int(totals[:, 2].sum()),
        causes={cause: found[cause] for cause in CAUSES},
        slices=tuple(_slices(matched, (kept, records), protocol, weights[:_SLICE_ROWS])),
        unanswered=len(matched) - len(seen),
        over_full_image=gain,
    )
    return Scored(row, tuple(matched), replicates["F1"])


def _observed(
    ranked: Answers, truths: Sequence[InstanceTruth], protocol: TiledProtocol
) -> tuple[list[int], list[DetectionRecord]]:
    """Which pictures have an answer, and what COCO's average precision of boxes is made from."""
    metric = DetectionMetric(protocol.classes, masks=False)
    kept, records = [], []
    for place, (answer, truth) in enumerate(zip(ranked, truths, strict=True)):
        if answer is not None:
            ignore = ignored_objects(truth, protocol.ignore_area)
            plain = InstanceTruth(truth.size, truth.boxes, truth.classes, ignore=ignore)
            kept.append(place)
            records.append(metric.observe(answer, plain))
    return kept, records


def _slices(
    matched: Sequence[Matched | None],
    ranked: tuple[list[int], list[DetectionRecord]],
    protocol: TiledProtocol,
    weights: NDArray[np.int64],
) -> list[TiledSlice]:
    """Figures of every class and every size that has an object or a detection."""
    kept, records = ranked
    metric = DetectionMetric(protocol.classes, masks=False)
    parts: list[tuple[Axis, str, Part, list[DetectionRecord]]] = [
        ("class", name, of_class(label), [each.of_class(label) for each in records])
        for label, name in enumerate(protocol.classes)
    ]
    parts += [
        ("size", name, of_size(*edges), [each.of_area(name) for each in records])
        for name, edges in SIDE_RANGES.items()
    ]
    slices = []
    for axis, name, part, narrowed in parts:
        totals = counts(matched, part)
        objects = int(totals[:, 0].sum() + totals[:, 2].sum())
        if objects or totals[:, 1].any():
            replicates = precision_recall(totals, weights) | metric.summarise(narrowed, weights[:, kept])
            figures = tuple(_figure(each, values, objects) for each, values in replicates.items())
            slices.append(TiledSlice(axis=axis, name=name, figures=figures))
    return slices


def _figure(metric: str, replicates: NDArray[np.float64], objects: int) -> TiledFigure:
    span = interval(replicates[1:])
    return TiledFigure(
        metric=metric,
        value=known(float(replicates[0])),
        low=known(span.low),
        high=known(span.high),
        samples=objects,
    )
