"""Non-maximum suppression as an op."""

from __future__ import annotations

import math

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor
_IOS17 = 7


@op("non_maximum_suppression", exact=True)
def _non_maximum_suppression(node: Node) -> Kernel:
    """Boxes are (x, y, width, height) around centres; a box's score is its best class's.

    Up to iOS 16 boxes are (n, B, 4), scores (n, B, K), and the number kept is a fourth output. From iOS 17
    the box axis is the last one and there is no score threshold. Rows left over are zero, indices -1.
    """
    most, limit = node.integer("max_boxes"), node.number("iou_threshold")
    least = node.number("score_threshold", -math.inf)
    by_class, last = node.flag("per_class_suppression"), node.opset >= _IOS17

    def compute(boxes: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        if last:
            boxes, scores = boxes.transpose(1, 2), scores.transpose(1, 2)
        out_boxes = torch.zeros(len(boxes), most, 4)
        out_scores = torch.zeros(len(boxes), most, scores.shape[2])
        out_indices = torch.full((len(boxes), most), -1)
        counts = torch.zeros(len(boxes), dtype=torch.int64)
        for index, (box, score) in enumerate(zip(boxes, scores, strict=True)):
            kept = _suppress(box, score, limit, least, most, by_class)
            count = len(kept)
            out_boxes[index, :count], out_scores[index, :count] = box[kept], score[kept]
            out_indices[index, :count] = kept
            counts[index] = count
        if last:
            return out_boxes.transpose(1, 2), out_scores.transpose(1, 2), out_indices
        return out_boxes, out_scores, out_indices, counts

    return node.apply(compute, "boxes", "scores")


def _suppress(boxes: Tensor, scores: Tensor, limit: float, least: float, most: int, by_class: bool) -> Tensor:
    """Indices of the boxes kept, best first, none overlapping a better one (of its class) too much."""
    best, label = scores.max(-1)
    order = torch.argsort(best, descending=True, stable=True)
    left = order[best[order] >= least]
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    area = boxes[:, 2] * boxes[:, 3]
    kept: list[Tensor] = []
    while len(left) and len(kept) < most:
        first, left = left[0], left[1:]
        kept.append(first)
        span = (torch.minimum(high[first], high[left]) - torch.maximum(low[first], low[left])).clamp(min=0)
        shared = span[:, 0] * span[:, 1]
        # Two boxes without area give NaN here, which is no overlap.
        over = shared / (area[first] + area[left] - shared) > limit
        if by_class:
            over &= label[left] == label[first]
        left = left[~over]
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.int64)
