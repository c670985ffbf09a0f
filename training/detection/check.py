"""Figures of a detector on validation tiles: mAP, and F1, recall and confidence at its best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.decode.yolo import YoloDecoder
from deploy.metrics.detection import DetectionMetric
from deploy.metrics.tiled.matching import Matched, match_picture
from deploy.vision.preprocess import prepare
from training.data.boxes.sides import boxes_of
from training.data.samples import EvaluationSet

_LEAST_CONFIDENCE = 0.01
_IOU = 0.5
_AT_A_TIME = 16


def check(
    module: nn.Module, tiles: EvaluationSet, preprocess: Preprocess, decode: YoloDecode
) -> dict[str, float]:
    """Judge a detector on tiles as pictures of their own.

    Returns:
        ``mAP50`` as pycocotools has it; ``F1`` at IoU 0.5 and the one confidence for all classes that makes
        it highest; that ``confidence``; ``recall`` and ``recall_NAME`` of every class that occurs, there.
    """
    metric = DetectionMetric(decode.class_names, masks=False)
    records, matched = [], []
    for found, truth in _answers(module, tiles, preprocess, decode):
        records.append(metric.observe(found, truth))
        matched.append(match_picture(found, truth, _IOU, truth.ignore))
    figures = metric.summarise(records, np.ones((1, len(records)), np.int64))
    return {"mAP50": _number(figures["box_mAP50"][0]), **best_point(matched, decode.class_names)}


def best_point(matched: Sequence[Matched], class_names: Sequence[str]) -> dict[str, float]:
    """The highest F1 over all confidences, and recall there, whole and by class.

    COCO's matching gives better detections their objects first, so one match at the lowest confidence holds
    for all higher ones.
    """
    scores = _joined([each.scores for each in matched], np.float32)
    right = _joined([each.true_positives for each in matched], np.bool_)
    wrong = _joined([each.false_positives for each in matched], np.bool_)
    classes = _joined([each.classes for each in matched], np.int64)
    asked = _joined([each.truth_classes[each.counts] for each in matched], np.int64)
    order = np.argsort(-scores, kind="stable")
    hits, slips = np.cumsum(right[order]), np.cumsum(wrong[order])
    f1 = 2 * hits / np.maximum(hits + slips + len(asked), 1)
    # Detections of one score stand or fall together.
    last = np.flatnonzero(np.diff(scores[order], append=-1.0))
    if len(last) == 0 or len(asked) == 0:
        return {"F1": 0.0, "confidence": 1.0, "recall": 0.0}
    best = int(last[f1[last].argmax()])
    confidence = float(scores[order[best]])
    kept = right & (scores >= confidence)
    found = {"F1": float(f1[best]), "confidence": confidence, "recall": float(kept.sum() / len(asked))}
    for index in np.unique(asked).tolist():
        of_class = float((kept & (classes == index)).sum() / (asked == index).sum())
        found[f"recall_{class_names[index]}"] = of_class
    return found


def _answers(
    module: nn.Module, tiles: EvaluationSet, preprocess: Preprocess, decode: YoloDecode
) -> Iterator[tuple[InstancePrediction, InstanceTruth]]:
    """What the model finds in each tile, beside the truth."""
    low = decode.model_copy(update={"confidence": _LEAST_CONFIDENCE})
    decoder = YoloDecoder(low, preprocess)
    for start in range(0, len(tiles), _AT_A_TIME):
        samples = [tiles.sample(index) for index in range(start, min(start + _AT_A_TIME, len(tiles)))]
        placed = [prepare(sample.image, preprocess) for sample in samples]
        inputs = torch.from_numpy(np.concatenate([tensor for tensor, _ in placed]))
        with torch.inference_mode():
            heads = module(inputs.contiguous(memory_format=torch.channels_last)).float().numpy()
        for sample, head, (_, geometry) in zip(samples, heads, placed, strict=True):
            yield decoder.decode({decode.output: head[None]}, geometry), boxes_of(sample.id, sample.truth)


def _joined(parts: Sequence[NDArray[Any]], kind: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts])


def _number(value: float) -> float:
    """0 where nothing is asked for: a figure that picks the best epoch must be one."""
    return float(value) if np.isfinite(value) else 0.0
