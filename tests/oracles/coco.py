"""COCO scores by pycocotools itself, from plain predictions and truths, and scenes to score."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as codec
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deploy.decode.predictions import InstancePrediction, InstanceTruth

Pair = tuple[InstancePrediction, InstanceTruth]


def scene(
    seed: int, size: tuple[int, int], classes: int, objects: int, ties: bool = False, masks: bool = True
) -> Pair:
    """Random ellipses in boxes, and detections that find, miss, shift, rename and invent them."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, objects + 1))
    truth = _corners(rng, size, count)
    labels = rng.integers(0, classes, count)
    seen = rng.random(count) < 0.8
    boxes = truth[seen] + rng.normal(0, 3, (int(seen.sum()), 4)).astype(np.float32)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    found = np.where(rng.random(len(boxes)) < 0.85, labels[seen], rng.integers(0, classes, len(boxes)))
    extra = int(rng.integers(0, 4))
    boxes = np.concatenate([boxes, _corners(rng, size, extra)])
    found = np.concatenate([found, rng.integers(0, classes, extra)])
    scores = rng.random(len(boxes)).astype(np.float32)
    if ties:
        scores = np.round(scores * 8) / 8
    order = np.argsort(-scores, kind="stable")
    boxes, found, scores = boxes[order], found[order], scores[order]
    return (
        InstancePrediction(boxes, scores, found, _ellipses(boxes, size) if masks else None),
        InstanceTruth(size, truth, labels, _ellipses(truth, size) if masks else None),
    )


def twelve(pairs: Sequence[Pair], classes: int, overlap: str) -> NDArray[np.float64]:
    """The 12 figures of pycocotools' ``summarize``; all -1 is returned for a set without any detection."""
    images, truths, found = [], [], []
    for image_id, (prediction, truth) in enumerate(pairs, 1):
        images.append({"id": image_id, "height": truth.size[0], "width": truth.size[1]})
        for index, label in enumerate(truth.classes):
            box = _xywh(truth.boxes[index])
            crowd = 0 if truth.ignore is None else int(truth.ignore[index])
            entry: dict[str, Any] = {"id": len(truths) + 1, "image_id": image_id, "iscrowd": crowd}
            entry["bbox"] = box
            entry |= {"category_id": int(label) + 1, "area": box[2] * box[3]}
            if truth.masks is not None:
                entry["segmentation"] = _rle(truth.masks[index])
                entry["area"] = float(codec.area(entry["segmentation"]))
            truths.append(entry)
        for index, label in enumerate(prediction.classes):
            entry = {"image_id": image_id, "category_id": int(label) + 1}
            entry["score"] = float(prediction.scores[index])
            if overlap == "bbox":
                entry["bbox"] = _xywh(prediction.boxes[index])
            else:
                assert prediction.masks is not None
                entry["segmentation"] = _rle(prediction.masks[index])
            found.append(entry)
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        names = [{"id": index + 1, "name": str(index)} for index in range(classes)]
        ground.dataset = {"images": images, "annotations": truths, "categories": names}
        ground.createIndex()
        evaluation = COCOeval(ground, ground.loadRes(found), overlap)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.array(evaluation.stats)


def _corners(rng: np.random.Generator, size: tuple[int, int], count: int) -> NDArray[np.float32]:
    height, width = size
    low = rng.random((count, 2)) * (width * 0.8, height * 0.8)
    side = 3 + rng.random((count, 2)) ** 2 * (width * 0.5, height * 0.5)
    return np.concatenate([low, low + side], axis=1).astype(np.float32)


def _ellipses(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    y, x = np.mgrid[: size[0], : size[1]]
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    reach = [((x - m[0]) / h[0]) ** 2 + ((y - m[1]) / h[1]) ** 2 for m, h in zip(middle, half, strict=True)]
    return np.array(reach).reshape(-1, *size) <= 1


def _xywh(box: NDArray[np.float32]) -> list[float]:
    left, top, right, bottom = (float(v) for v in box)
    return [left, top, right - left, bottom - top]


def _rle(mask: NDArray[np.bool_]) -> Any:
    return codec.encode(np.asfortranarray(mask.astype(np.uint8)))
