"""Which detection meets which true object, by COCO's rules: hotcoco's matching, taken apart by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.metrics.coco_records import RANGES, DetectionRecord

Overlap = Literal["bbox", "segm"]
"""What IoU is taken of: boxes or masks (pycocotools ``iouType``)."""


@dataclass(frozen=True)
class ClassMatches:
    """The n detections of one class over all N pictures, best score first (ties in picture order).

    ``picture``: int64 (n,), the record each comes from; ``hit`` and ``counted``: bool (T, n), matched to a
    true object, and not ignored, at each of the T IoU thresholds; ``positives``: int64 (N,), true objects
    that count in each picture.
    """

    picture: NDArray[np.int64]
    hit: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    positives: NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """Matches of every class that has a detection or a true object, and the protocol's thresholds.

    ``iou``: float64 (T,), 0.50 to 0.95; ``recall``: float64 (101,), 0 to 1.
    """

    classes: tuple[ClassMatches, ...]
    iou: NDArray[np.float64]
    recall: NDArray[np.float64]


def match(records: Sequence[DetectionRecord], overlap: Overlap) -> Matches:
    """Match once; every bootstrap replicate is then only a different weighting of the pictures."""
    evaluation = _evaluation(records, overlap)
    areas = {record.area for record in records}
    if len(areas) > 1:
        raise ValueError(f"records of different object sizes cannot be scored together: {sorted(areas)}")
    name = areas.pop() if areas else "all"
    evaluation.params.area_rng = [list(RANGES[name])]
    evaluation.params.area_rng_lbl = [name]
    evaluation.evaluate()
    by_class: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for cell in evaluation.evalImgs:
        if cell is not None:
            by_class[cell["category_id"]].append(cell)
    thresholds = np.array(evaluation.params.iou_thrs, np.float64)
    classes = tuple(_class_matches(by_class[key], len(records), len(thresholds)) for key in sorted(by_class))
    return Matches(classes, thresholds, np.array(evaluation.params.rec_thrs, np.float64))


def coco_statistics(records: Sequence[DetectionRecord], overlap: Overlap) -> NDArray[np.float64]:
    """The twelve figures of ``COCOeval.summarize`` in their order, float64 (12,); -1 where nothing counts."""
    evaluation = _evaluation(records, overlap)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summary_lines()
    return np.array(evaluation.stats, np.float64)


def _class_matches(cells: list[dict[str, Any]], pictures: int, thresholds: int) -> ClassMatches:
    """Join one class's pictures; sorted as pycocotools does (merge sort of the negated scores)."""
    cells = sorted(cells, key=lambda cell: cell["image_id"])
    positives = np.zeros(pictures, np.int64)
    for cell in cells:
        positives[cell["image_id"] - 1] = len(cell["gtIgnore"]) - sum(cell["gtIgnore"])
    scores = np.array([score for cell in cells for score in cell["dtScores"]], np.float64)
    picture = np.repeat(
        np.array([cell["image_id"] - 1 for cell in cells], np.int64), [len(c["dtScores"]) for c in cells]
    )
    order = np.argsort(-scores, kind="mergesort")
    flags = [
        np.concatenate([np.array(cell[key], np.bool_).reshape(thresholds, -1) for cell in cells], axis=1)
        for key in ("dtMatched", "dtIgnore")
    ]
    return ClassMatches(picture[order], flags[0][:, order], ~flags[1][:, order], positives)


def _evaluation(records: Sequence[DetectionRecord], overlap: Overlap) -> Any:
    """A hotcoco evaluation over the records; picture ids and class ids start at 1."""
    try:
        from hotcoco import COCO, COCOeval
    except ImportError as error:
        raise DeployError(
            "EXTRA-MISSING",
            "Scoring detections needs hotcoco, which is not installed.",
            "Install it: pip install 'pocketproof[train]'",
        ) from error
    known = [r.predicted.classes for r in records] + [r.truth.classes for r in records]
    last = max((int(c.max()) for c in known if len(c)), default=0)
    truths = [r.truth for r in records]
    truth = COCO.from_arrays(
        [{"id": i, "height": r.size[0], "width": r.size[1]} for i, r in enumerate(records, 1)],
        [{"id": index + 1, "name": str(index)} for index in range(last + 1)],
        image_ids=_picture_ids([len(o.classes) for o in truths]),
        category_ids=np.concatenate([np.zeros(0, np.int64), *(o.classes + 1 for o in truths)]),
        boxes=np.concatenate([np.zeros((0, 4)), *(o.boxes for o in truths)]),
        area=np.concatenate([np.zeros(0), *(o.areas() for o in truths)]),
        iscrowd=np.concatenate([np.zeros(0, np.bool_), *(o.crowds() for o in truths)]),
        segmentation=[rle for o in truths for rle in o.masks or ()] if overlap == "segm" else None,
    )
    found = truth.load_res(_boxes(records) if overlap == "bbox" else _masks(records))
    return COCOeval(truth, found, overlap)


def _picture_ids(counts: Sequence[int]) -> NDArray[np.int64]:
    return np.repeat(np.arange(1, len(counts) + 1, dtype=np.int64), counts)


def _boxes(records: Sequence[DetectionRecord]) -> NDArray[np.float64]:
    """All detections as hotcoco's columns: picture, x, y, w, h, score, class; float64 (n, 7)."""
    ids = _picture_ids([len(r.scores) for r in records])
    rows = [np.column_stack([r.predicted.boxes, r.scores, r.predicted.classes + 1]) for r in records]
    return np.column_stack([ids, np.concatenate([np.zeros((0, 6)), *rows])])


def _masks(records: Sequence[DetectionRecord]) -> list[dict[str, Any]]:
    """All detections as result dicts without a box, so that an object's area is its mask's."""
    return [
        {"image_id": i, "category_id": int(label) + 1, "segmentation": rle, "score": float(score)}
        for i, r in enumerate(records, 1)
        for rle, label, score in zip(r.predicted.masks or (), r.predicted.classes, r.scores, strict=True)
    ]
