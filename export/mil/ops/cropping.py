"""Crops, and regions of interest resized to one size."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.grids import SAMPLING, grid, interpolate
from export.mil.ops.registry import op

Tensor = torch.Tensor

_CORNERS = ("CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST")
_CENTERS = ("CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST")


@op("crop", exact=True)
def _crop(node: Node) -> Kernel:
    top, bottom = node.required_integers("crop_height")
    left, right = node.required_integers("crop_width")
    return node.apply(lambda x: x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right], "x")


@op("crop_resize", fresh=True)
def _crop_resize(node: Node) -> Kernel:
    """``roi`` up to iOS 16 (5-D, output keeps a batch axis), ``boxes`` and ``box_indices`` from iOS 17."""
    crop = _Cropper(node)

    def by_roi(x: Tensor, roi: Tensor) -> Tensor:
        rows = roi.reshape(roi.shape[0], -1)
        if rows.shape[1] == 5:
            return torch.stack([crop.one(x[int(r[0])][None], r[1:].tolist()) for r in rows])
        return torch.stack([crop.one(x, r.tolist()) for r in rows])

    def by_boxes(x: Tensor, boxes: Tensor, indices: Tensor | None) -> Tensor:
        chosen = range(len(boxes)) if indices is None else indices.reshape(-1).tolist()
        rows = boxes.reshape(-1, 4).tolist()
        return torch.cat([crop.one(x[i][None], box) for i, box in zip(chosen, rows, strict=True)])

    if node.has("roi"):
        return node.apply(by_roi, "x", "roi")
    return node.apply(by_boxes, "x", "boxes", "box_indices")


class _Cropper:
    """The constant parameters of one ``crop_resize``."""

    def __init__(self, node: Node) -> None:
        self._sizes = node.integer("target_height", 1), node.integer("target_width", 1)
        self._normalized = node.flag("normalized_coordinates")
        self._scale = node.number("spatial_scale", 1.0)
        self._pad = node.number("pad_value", 0.0)
        self._boxes = node.text("box_coordinate_mode", "CORNERS_HEIGHT_FIRST")
        self._mode = node.text("sampling_mode", "DEFAULT")
        if self._boxes not in (*_CORNERS, *_CENTERS):
            raise node.unknown("box_coordinate_mode", self._boxes)
        if self._mode not in SAMPLING:
            raise node.unknown("sampling_mode", self._mode)

    def one(self, x: Tensor, box: Sequence[float]) -> Tensor:
        """One box cut out of (B, C, H, W) and resized; whatever lies outside the picture is ``pad_value``."""
        y = x
        outside = []
        for axis, (first, last), count in zip((2, 3), self._spans(box), self._sizes, strict=True):
            size = x.shape[axis]
            positions = self._positions(first, last, size, count)
            outside.append((positions < 0) | (positions > size - 1))
            y = interpolate(y, axis, positions.clamp(0, size - 1))
        away = outside[0][:, None] | outside[1]
        return torch.where(away, torch.full((), self._pad), y)

    def _spans(self, box: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
        """First and last coordinate of the rows and of the columns, as given."""
        a, b, c, d = box
        height_first = self._boxes.endswith("HEIGHT_FIRST")
        if self._boxes in _CENTERS:
            a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
        return ((a, c), (b, d)) if height_first else ((b, d), (a, c))

    def _positions(self, first: float, last: float, size: int, count: int) -> Tensor:
        """Sampling positions between two coordinates; a box upside down is read backwards.

        Apple's own test has one exception: with ``UNALIGN_CORNERS`` such a box stands for the whole picture.
        """
        factor = self._scale * (size - 1 if self._normalized else 1)
        first, last = first * factor, last * factor
        if last < first:
            if self._mode == "UNALIGN_CORNERS":
                return grid(size, count, self._mode)
            return first - grid(first - last + 1, count, self._mode)
        return first + grid(last - first + 1, count, self._mode)
