"""Which detection meets which true object in one picture, at one IoU: COCO's greedy rule, with the pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.decode.nms import box_intersection, box_iou
from deploy.decode.predictions import InstancePrediction, InstanceTruth

_EDGE = 1e-10  # pycocotools matches at min(threshold, 1 - 1e-10)


@dataclass(frozen=True)
class Matched:
    """One picture's pairs.

    ``boxes``: float32 (N, 4) x1 y1 x2 y2; ``scores``: float32 (N,), best first; ``classes``: int64 (N,);
    ``truth_of``: int64 (N,), the true object that a detection met, -1 for none; ``ignored``: bool (N,), it
    met one that does not count;
    ``truth_classes``: int64 (M,); ``counts``: bool (M,), true objects that count; ``found``: bool (M,).
    ``sides`` (N,) and ``truth_sides`` (M,): float32, square roots of the boxes' areas in pixels.
    ``iou``: float32 (N, M), of every pair; ``inside``: float32 (N, M), share of the detection's area that
    lies inside the object.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    truth_of: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    truth_classes: NDArray[np.int64]
    counts: NDArray[np.bool_]
    found: NDArray[np.bool_]
    sides: NDArray[np.float32]
    truth_sides: NDArray[np.float32]
    iou: NDArray[np.float32]
    inside: NDArray[np.float32]

    @property
    def true_positives(self) -> NDArray[np.bool_]:
        """bool (N,): met an object that counts."""
        return (self.truth_of >= 0) & ~self.ignored

    @property
    def false_positives(self) -> NDArray[np.bool_]:
        """bool (N,): met nothing."""
        return self.truth_of < 0

    @property
    def missed(self) -> NDArray[np.bool_]:
        """bool (M,): counts and was not met."""
        return self.counts & ~self.found


def match_picture(
    predicted: InstancePrediction,
    truth: InstanceTruth,
    threshold: float,
    ignored: NDArray[np.bool_] | None = None,
) -> Matched:
    """Give every detection, best score first, the free object of its class with the highest IoU.

    The rule is that of ``COCOeval.evaluateImg``: objects that count come before ignored ones, equal IoUs go
    to the later object, and what meets an ignored object is neither right nor wrong.

    Args:
        predicted: detections in any order.
        truth: true objects.
        threshold: least IoU of a match.
        ignored: bool (M,), true objects that neither help nor harm; ``None`` for none of them.
    """
    order = np.argsort(-predicted.scores, kind="stable")
    boxes, classes = predicted.boxes[order], predicted.classes[order]
    count = len(truth.classes)
    skip = np.zeros(count, np.bool_) if ignored is None else ignored
    iou = box_iou(boxes, truth.boxes)
    free = np.ones(count, np.bool_)
    truth_of = np.full(len(order), -1, np.int64)
    for place in range(len(order)):
        near = free & (truth.classes == classes[place]) & (iou[place] >= min(threshold, 1 - _EDGE))
        for group in (near & ~skip, near & skip):
            choices = np.flatnonzero(group)
            if len(choices):
                best = int(choices[::-1][np.argmax(iou[place, choices[::-1]])])
                truth_of[place], free[best] = best, False
                break
    met = truth_of >= 0
    return Matched(
        boxes=boxes,
        scores=predicted.scores[order],
        classes=classes,
        truth_of=truth_of,
        ignored=met & np.append(skip, False)[truth_of],
        truth_classes=truth.classes,
        counts=~skip,
        found=~free,
        sides=_sides(boxes),
        truth_sides=_sides(truth.boxes),
        iou=iou,
        inside=_inside(boxes, truth.boxes),
    )


def _sides(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    sides: NDArray[np.float32] = np.sqrt(np.maximum(areas, 0))
    return sides


def _inside(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    inter = box_intersection(boxes, others)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[:, None]
    share: NDArray[np.float32] = np.divide(inter, area, out=np.zeros_like(inter), where=area > 0)
    return share
