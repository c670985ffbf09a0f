"""Merging by sahi itself, from plain arrays, and scenes of boxes as overlapping tiles give them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sahi.postprocess.backends import set_postprocess_backend
from sahi.postprocess.combine import GreedyNMMPostprocess, NMMPostprocess, NMSPostprocess
from sahi.prediction import ObjectPrediction

from deploy.contracts.tiling import Merge
from deploy.tiled.raw import RawDetections

_CLASSES = {"nms": NMSPostprocess, "nmm": NMMPostprocess, "greedy_nmm": GreedyNMMPostprocess}
Answer = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def predictions_of(raw: RawDetections) -> list[ObjectPrediction]:
    """The boxes as sahi's objects."""
    rows = zip(raw.boxes.tolist(), raw.scores.tolist(), raw.classes.tolist(), strict=True)
    return [ObjectPrediction(box, label, str(label), None, score) for box, score, label in rows]


def merge(raw: RawDetections, how: Merge) -> Answer:
    """Boxes, scores and classes of sahi's own answer, in its order."""
    set_postprocess_backend("numpy")
    found = _CLASSES[how.kind](how.threshold, how.metric.upper(), how.class_agnostic)(predictions_of(raw))
    boxes = np.asarray([each.bbox.to_xyxy() for each in found], np.float32).reshape(-1, 4)
    scores = np.asarray([each.score.value for each in found], np.float32)
    return boxes, scores, np.asarray([each.category.id for each in found], np.int64)


def crowd(count: int, classes: int, seed: int = 0, size: tuple[int, int] = (3000, 4000)) -> RawDetections:
    """Objects seen by one to four tiles each, some cut by a border: ``count`` boxes in random order."""
    rng = np.random.default_rng(seed)
    objects = max(1, count // 2)
    middle = rng.uniform(0, 1, (objects, 2)) * (size[1], size[0])
    half = rng.lognormal(2.7, 0.5, (objects, 2))
    pick = rng.integers(0, objects, count)
    jitter = rng.normal(0, 0.06, (count, 4)) * np.tile(half[pick], 2)
    boxes = np.concatenate([middle[pick] - half[pick], middle[pick] + half[pick]], axis=1) + jitter
    cut = rng.random(count) < 0.15
    boxes[cut, 2] -= (boxes[cut, 2] - boxes[cut, 0]) * 0.6
    limit = np.asarray((size[1], size[0]) * 2)
    boxes = np.clip(boxes, 0, limit).astype(np.float32)
    labels = rng.integers(0, classes, objects)[pick]
    scores = rng.uniform(0.05, 0.99, count).astype(np.float32)
    return RawDetections(boxes, scores, labels.astype(np.int64), np.zeros(count, np.int32), size)
