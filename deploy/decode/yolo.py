"""Decode a YOLO head with optional prototype masks to objects in picture coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.nms import box_iou, non_maximum_suppression
from deploy.decode.predictions import InstancePrediction
from deploy.vision.geometry import Geometry, to_picture, to_picture_plane

_MATCH_IOU = 0.9


class YoloDecoder:
    """See ``deploy.decode.protocol.Decoder``."""

    def __init__(self, decode: YoloDecode, preprocess: Preprocess) -> None:
        self._spec = decode

    def decode(self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry) -> InstancePrediction:
        """Filter by confidence, suppress per class, map boxes back, build each mask inside its own box."""
        spec = self._spec
        if spec.nms == "graph":
            return self._suppressed(np.asarray(outputs[spec.output], np.float32)[0], geometry)
        head = np.asarray(outputs[spec.output], np.float32)[0]
        scores, anchors, classes = self._candidates(head[4 : 4 + len(spec.class_names)])
        boxes = _corners(head[:4, anchors].T)
        kept = non_maximum_suppression(boxes, scores, classes, spec.iou, spec.max_detections)
        boxes = to_picture(boxes[kept], geometry)
        masks = None
        if spec.protos is not None:
            coefficients = head[4 + len(spec.class_names) :, anchors[kept]].T
            masks = _masks(coefficients, np.asarray(outputs[spec.protos], np.float32)[0], boxes, geometry)
        return InstancePrediction(boxes, scores[kept], classes[kept], masks)

    def _suppressed(self, rows: NDArray[np.float32], geometry: Geometry) -> InstancePrediction:
        """Rows (K, 6) that the graph has suppressed itself to objects."""
        found = rows[(rows[:, 4] > 0) & (rows[:, 4] > self._spec.confidence)]
        boxes = to_picture(found[:, :4], geometry)
        return InstancePrediction(boxes, found[:, 4], found[:, 5].astype(np.int64))

    def _candidates(
        self, scores: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Class scores (C, A) to the scores, anchors and classes above the confidence."""
        if self._spec.multi_label:
            classes, anchors = np.nonzero(scores > self._spec.confidence)
        else:
            anchors = np.flatnonzero(scores.max(axis=0) > self._spec.confidence)
            classes = scores[:, anchors].argmax(axis=0)
        return scores[classes, anchors], anchors, classes

    def agreement(self, reference: InstancePrediction, other: InstancePrediction) -> float:
        """F1 of matching objects one to one: same class, IoU at least 0.9, best pairs first."""
        total = len(reference.boxes) + len(other.boxes)
        if total == 0:
            return 1.0
        overlap = box_iou(reference.boxes, other.boxes)
        overlap[reference.classes[:, None] != other.classes[None]] = 0
        matched = 0
        while overlap.size and overlap.max() >= _MATCH_IOU:
            row, column = np.unravel_index(overlap.argmax(), overlap.shape)
            overlap[row, :] = overlap[:, column] = 0
            matched += 1
        return 2 * matched / total


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """cx cy w h (N, 4) to x1 y1 x2 y2."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _masks(
    coefficients: NDArray[np.float32],
    protos: NDArray[np.float32],
    boxes: NDArray[np.float32],
    geometry: Geometry,
) -> NDArray[np.bool_]:
    """Combine (N, K) coefficients with (K, h, w) prototypes, resample, threshold, crop each to its box."""
    height, width = geometry.picture
    masks = np.zeros((len(boxes), height, width), np.bool_)
    logits = np.tensordot(coefficients, protos, axes=1)
    for mask, plane, box in zip(masks, logits, boxes, strict=True):
        left, top, right, bottom = (round(float(value)) for value in box)
        if right > left and bottom > top:
            window = (top, bottom, left, right)
            mask[top:bottom, left:right] = to_picture_plane(plane, geometry, window) > 0
    return masks
