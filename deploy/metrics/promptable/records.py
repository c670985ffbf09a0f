"""One answer to one prompt, reduced to the numbers that every figure is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.metrics.coco_records import DetectionRecord, record
from deploy.metrics.promptable.answers import Reading
from deploy.metrics.promptable.matching import match_masks
from deploy.metrics.regions import boundary_accuracy
from deploy.prompts.types import PromptKind

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Where a match counts as a hit: 0.50, 0.55 .. 0.95, float64 (10,), as COCO and SAM 3 have it."""

Group = Literal["present", "hard", "absent"]


@dataclass(frozen=True)
class Asked:
    """A prompt as the figures know it: the picture's number, its kind, its phrase, and why it was asked
    (``hard``: absent, but alike to something present, or frequent elsewhere)."""

    picture: int
    kind: PromptKind
    phrase: str
    group: Group


@dataclass(frozen=True)
class PromptRecord:
    """One answer's numbers.

    ``ious`` and ``boundaries``: float64 (T,), of every true object with its match, 0 where it was missed;
    ``hits``: int64 (10,), matches at each of ``IOU_THRESHOLDS``; ``teacher_ious``: float64 (M,), the same
    with the teacher's kept masks as truth, ``None`` without a teacher; ``separation``: IoU with the truth of
    the prompt minus the mean IoU with truths of other prompts, NaN where there is no other.
    """

    asked: Asked
    said: bool
    ious: NDArray[np.float64]
    boundaries: NDArray[np.float64]
    hits: NDArray[np.int64]
    teacher_ious: NDArray[np.float64] | None
    kept: int
    queries: int
    separation: float
    detections: DetectionRecord


def observe(
    asked: Asked,
    reading: Reading,
    truth: NDArray[np.bool_],
    *,
    teacher: NDArray[np.bool_] | None,
    separation: float,
    label: int,
) -> PromptRecord:
    """Reduce one answer.

    Args:
        asked: the prompt.
        reading: the answer, read.
        truth: bool (T, H, W), all objects that the prompt means.
        teacher: bool (M, H, W), the masks that the teacher kept for the same prompt.
        separation: see ``deploy.metrics.promptable.separation``.
        label: the class that average precision counts the prompt under.
    """
    match = match_masks(reading.kept, truth)
    boundaries = np.array(
        [
            boundary_accuracy(reading.kept[row], true) if row >= 0 else 0.0
            for row, true in zip(match.partner, truth, strict=True)
        ],
        np.float64,
    )
    paired = match.ious[match.partner >= 0]
    return PromptRecord(
        asked=asked,
        said=reading.said,
        ious=match.ious,
        boundaries=boundaries,
        hits=(paired[:, None] >= IOU_THRESHOLDS[None, :]).sum(axis=0).astype(np.int64),
        teacher_ious=None if teacher is None else match_masks(reading.kept, teacher).ious,
        kept=len(reading.kept),
        queries=reading.queries,
        separation=separation,
        detections=_detections(reading, truth, label),
    )


def _detections(reading: Reading, truth: NDArray[np.bool_], label: int) -> DetectionRecord:
    size = (truth.shape[1], truth.shape[2])
    found = InstancePrediction(
        _boxes(reading.ranked),
        reading.confidences.astype(np.float32),
        np.full(len(reading.ranked), label, np.int64),
        reading.ranked,
    )
    true = InstanceTruth(size, _boxes(truth), np.full(len(truth), label, np.int64), truth)
    return record(found, true, classes=label + 1, masks=True)


def _boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Float32 (N, 4), x0 y0 x1 y1 around each mask; zeros around an empty one."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for row, mask in enumerate(masks):
        x, y, w, h = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
        boxes[row] = (x, y, x + w, y + h)
    return boxes
