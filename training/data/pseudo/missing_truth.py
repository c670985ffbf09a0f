"""Objects that people seem to have left unlabelled: confident boxes where the truth has nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.decode.nms import box_iou
from deploy.decode.predictions import InstancePrediction, InstanceTruth

_TOUCHES = 0.1
"""IoU with a labelled object, of whatever class, from which a box is about that object (as TIDE has it)."""

_SAME = 0.5

LEAST_SURENESS = 0.1
"""Nine in ten of the boxes that are right are surer than a suspect must be at least."""


@dataclass(frozen=True)
class Suspect:
    """A place that looks unlabelled. ``picture``: its index; ``box``: x1 y1 x2 y2 in pixels; ``score``: the
    detector's; ``sureness``: share of the right boxes of this class that score no higher."""

    picture: int
    box: tuple[float, float, float, float]
    klass: int
    score: float
    sureness: float


def missing_truth(
    predictions: Sequence[InstancePrediction],
    truths: Sequence[InstanceTruth],
    least_sureness: float = LEAST_SURENESS,
) -> tuple[Suspect, ...]:
    """Suspects of all pictures, the likeliest first.

    A box is a suspect when it touches no labelled object (ignored ones included) and is as sure as boxes of
    its class that are right. Of boxes that touch each other the best one speaks. A class without any right
    box has no suspects: nothing says what its scores are worth.

    Args:
        predictions: merged detections of every picture, down to a low confidence.
        truths: what is labelled, picture by picture.
        least_sureness: from 0 to 1.
    """
    alone: list[tuple[int, int, int]] = []
    right: dict[int, list[float]] = defaultdict(list)
    for picture, (found, truth) in enumerate(zip(predictions, truths, strict=True)):
        iou = box_iou(found.boxes, truth.boxes)
        hit = ((iou >= _SAME) & (found.classes[:, None] == truth.classes[None])).any(axis=1)
        for index in np.flatnonzero(hit).tolist():
            right[int(found.classes[index])].append(float(found.scores[index]))
        untouched = np.flatnonzero(~(iou >= _TOUCHES).any(axis=1))
        alone += [(picture, index, int(found.classes[index])) for index in _best(found, untouched)]
    known = {klass: np.sort(scores) for klass, scores in right.items()}
    suspects = []
    for picture, index, klass in alone:
        if klass not in known:
            continue
        score = float(predictions[picture].scores[index])
        sureness = float(np.searchsorted(known[klass], score, side="right") / len(known[klass]))
        if sureness >= least_sureness:
            x1, y1, x2, y2 = predictions[picture].boxes[index].tolist()
            suspects.append(Suspect(picture, (x1, y1, x2, y2), klass, score, sureness))
    return tuple(sorted(suspects, key=lambda each: (-each.sureness, -each.score, each.picture, each.box)))


def _best(found: InstancePrediction, kept: NDArray[np.intp]) -> list[int]:
    """Of boxes that touch each other the best one, best first."""
    order = kept[np.argsort(-found.scores[kept], kind="stable")]
    chosen: list[int] = []
    for index in order.tolist():
        if not chosen or float(box_iou(found.boxes[[index]], found.boxes[chosen]).max()) < _TOUCHES:
            chosen.append(index)
    return chosen
