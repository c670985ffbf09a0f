"""Which pictures a person should look at first: unsure boxes, tiles against the whole picture, variety."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.nms import box_iou
from deploy.decode.predictions import InstancePrediction

_SAME = 0.5
_SIDE = 16


@dataclass(frozen=True)
class Hardness:
    """How hard a picture is, each part from 0 to 1.

    ``unsure``: of boxes whose score lies between the two thresholds, 1 - abs(2p - 1) joined as chances;
    ``disagreement``: 1 - F1 of the tiles' answer against the whole picture's; ``confusion``: the largest
    entropy of the classes that claim one place, in bits of its most.
    """

    unsure: float
    disagreement: float
    confusion: float

    @property
    def score(self) -> float:
        """The chance that something is wrong, were the three independent."""
        return 1 - (1 - self.unsure) * (1 - self.disagreement) * (1 - self.confusion)


def hardness(
    merged: InstancePrediction,
    thresholds: NDArray[np.float32],
    low: float,
    tiles: InstancePrediction | None,
    whole: InstancePrediction | None,
    classes: int,
) -> Hardness:
    """How hard a picture is.

    Args:
        merged: all objects down to ``low``.
        thresholds: float32 (classes,), score from which a box becomes a label.
        low: score below which a box is nothing.
        tiles, whole: what tiles alone and the whole picture alone say; ``None`` where that was not asked.
        classes: number of classes.
    """
    between = (merged.scores >= low) & (merged.scores < thresholds[merged.classes])
    doubt = 1 - np.abs(2 * merged.scores[between].astype(np.float64) - 1)
    apart = 0.0 if tiles is None or whole is None else 1 - _agreement(tiles, whole)
    return Hardness(float(1 - np.prod(1 - doubt)), apart, _confusion(merged, classes))


def spread(scores: NDArray[np.float64], embeddings: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """The ``count`` pictures that are hard and unlike each other, hardest first (greedy k-centre).

    Each next one has the largest product of its score and its distance to the nearest one chosen.

    Args:
        scores: float64 (N,), 0 for pictures that shall not be chosen.
        embeddings: float64 (N, D).
    """
    nearest = np.full(len(scores), np.inf)
    chosen: list[int] = []
    while len(chosen) < min(count, int((scores > 0).sum())):
        worth = scores * (1.0 if not chosen else nearest)
        worth[chosen] = -1
        best = int(worth.argmax())
        if worth[best] < 0:
            break
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(embeddings - embeddings[best], axis=1))
    return tuple(chosen)


def embedding(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A picture as a point: 16 x 16 grey cells without their mean, and mean colours; float64 (259,)."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    grey = small.mean(axis=2)
    return np.concatenate([(grey - grey.mean()).ravel() / _SIDE, small.mean(axis=(0, 1))])


def _agreement(one: InstancePrediction, other: InstancePrediction) -> float:
    """F1 of one answer against the other, 1 where both are empty: each box meets at most one of its class."""
    if not len(one.boxes) and not len(other.boxes):
        return 1.0
    from scipy.optimize import linear_sum_assignment

    iou = box_iou(one.boxes, other.boxes) * (one.classes[:, None] == other.classes[None])
    rows, columns = linear_sum_assignment(-(iou >= _SAME).astype(np.float64))
    met = int((iou[rows, columns] >= _SAME).sum())
    return 2 * met / (len(one.boxes) + len(other.boxes))


def _confusion(found: InstancePrediction, classes: int) -> float:
    if classes < 2 or len(found.boxes) < 2:
        return 0.0
    together = box_iou(found.boxes, found.boxes) >= _SAME
    worst = 0.0
    for row in together:
        claims = np.zeros(classes)
        np.maximum.at(claims, found.classes[row], found.scores[row].astype(np.float64))
        share = claims[claims > 0] / claims.sum()
        worst = max(worst, float(-(share * np.log(share)).sum() / np.log(classes)))
    return min(worst, 1.0)


def hardest(rows: Sequence[tuple[float, Sequence[float]]], count: int) -> tuple[int, ...]:
    """``spread`` over (score, embedding) of every picture."""
    scores = np.array([score for score, _ in rows], np.float64)
    points = np.array([point for _, point in rows], np.float64).reshape(len(rows), -1)
    return spread(scores, points, count)
