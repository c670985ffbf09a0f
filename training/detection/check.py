"""Figures of a detector on validation tiles: mAP, and F1, recall and confidence at its best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
        ``mAP50`` as pycocotools has it, and those of ``figures_at`` at the confidence that is best here.
    """
    metric = DetectionMetric(decode.class_names, masks=False)
    answers = list(_answers(module, tiles, preprocess, decode))
    records = [metric.observe(found, truth) for found, truth in answers]
    figures = metric.summarise(records, np.ones((1, len(records)), np.int64))
    return {"mAP50": _number(figures["box_mAP50"][0]), **figures_at(_matched(answers), decode.class_names)}


def figures_at(
    matched: Sequence[Matched], class_names: Sequence[str], confidence: float | None = None
) -> dict[str, float]:
    """``F1`` at one confidence for all classes, that ``confidence``, and there ``recall`` and ``recall_NAME``
    of every class that occurs.

    COCO's matching gives better detections their objects first, so one match at the lowest confidence holds
    for all higher ones.

    Args:
        matched: one entry a tile.
        class_names: in index order.
        confidence: least score of a detection; the one with the highest F1 where ``None``.
    """
    scores = _joined([each.scores for each in matched], np.float32)
    right = _joined([each.true_positives for each in matched], np.bool_)
    wrong = _joined([each.false_positives for each in matched], np.bool_)
    classes = _joined([each.classes for each in matched], np.int64)
    asked = _joined([each.truth_classes[each.counts] for each in matched], np.int64)
    if confidence is None:
        confidence = _best_confidence(scores, right, wrong, len(asked))
    kept = scores >= np.float32(confidence)
    hits, slips = int((right & kept).sum()), int((wrong & kept).sum())
    figures = {
        "F1": 2 * hits / max(hits + slips + len(asked), 1),
        "confidence": confidence,
        "recall": hits / max(len(asked), 1),
    }
    for index in np.unique(asked).tolist():
        found = int((right & kept & (classes == index)).sum())
        figures[f"recall_{class_names[index]}"] = found / int((asked == index).sum())
    return figures


def _best_confidence(
    scores: NDArray[np.float32], right: NDArray[np.bool_], wrong: NDArray[np.bool_], asked: int
) -> float:
    """The score whose detections and better ones have the highest F1; 1 where there are none."""
    order = np.argsort(-scores, kind="stable")
    hits, slips = np.cumsum(right[order]), np.cumsum(wrong[order])
    f1 = 2 * hits / np.maximum(hits + slips + asked, 1)
    last = np.flatnonzero(np.diff(scores[order], append=-1.0))  # equal scores stand or fall together
    return float(scores[order[last[f1[last].argmax()]]]) if len(last) else 1.0


def _matched(answers: Iterable[tuple[InstancePrediction, InstanceTruth]]) -> list[Matched]:
    return [match_picture(found, truth, _IOU, truth.ignore) for found, truth in answers]


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
