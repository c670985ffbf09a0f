"""Resizes and upsamples of the last axes."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.grids import SAMPLING, grid, interpolate, nearest_indices
from export.mil.ops.registry import op

Tensor = torch.Tensor


def _sizes(node: Node, x: Tensor) -> tuple[int, int]:
    """Height and width after scaling: as declared, else ``floor(size * scale)``.

    The declared shape comes first because a scale stored as fp32 can fall just below a whole product.
    """
    declared = node.outputs[0].shape[-2:]
    scales = node.number("scale_factor_height", 1.0), node.number("scale_factor_width", 1.0)
    height, width = (
        math.floor(size * scale + 1e-6) if known is None else known
        for size, scale, known in zip(x.shape[-2:], scales, declared, strict=True)
    )
    return height, width


def _bilinear(x: Tensor, height: int, width: int, mode: str) -> Tensor:
    rows = grid(x.shape[-2], height, mode)
    columns = grid(x.shape[-1], width, mode)
    return interpolate(interpolate(x, x.dim() - 2, rows), x.dim() - 1, columns)


def _nearest(x: Tensor, height: int, width: int) -> Tensor:
    """Element ``floor(i * size / new size)``, as torch's nearest."""
    planes = x.reshape(1, -1, *x.shape[-2:])
    return F.interpolate(planes, size=(height, width), mode="nearest").reshape(*x.shape[:-2], height, width)


@op("upsample_nearest_neighbor", exact=True)
def _upsample_nearest(node: Node) -> Kernel:
    return node.apply(lambda x: _nearest(x, *_sizes(node, x)), "x")


@op("resize_nearest_neighbor", exact=True)
def _resize_nearest(node: Node) -> Kernel:
    height, width = node.integer("target_size_height"), node.integer("target_size_width")
    return node.apply(lambda x: _nearest(x, height, width), "x")


@op("upsample_bilinear", fresh=True)
def _upsample_bilinear(node: Node) -> Kernel:
    """``half_pixel_centers`` is the opposite of ``align_corners`` unless given (iOS 16)."""
    align = node.flag("align_corners", True)
    half = node.flag("half_pixel_centers", not align)

    def compute(x: Tensor) -> Tensor:
        height, width = _sizes(node, x)
        if align or half:
            planes = x.reshape(1, -1, *x.shape[-2:])
            y = F.interpolate(planes, size=(height, width), mode="bilinear", align_corners=align)
            return y.reshape(*x.shape[:-2], height, width)
        return _bilinear(x, height, width, "DEFAULT")

    return node.apply(compute, "x")


@op("resize_bilinear", fresh=True)
def _resize_bilinear(node: Node) -> Kernel:
    height, width = node.integer("target_size_height", 1), node.integer("target_size_width", 1)
    mode = _sampling(node)
    return node.apply(lambda x: _bilinear(x, height, width, mode), "x")


@op("resize")
def _resize(node: Node) -> Kernel:
    """The last ``resized_dims`` axes become those of ``shape``; a zero there keeps an axis as it is."""
    count, mode = node.integer("resized_dims"), _sampling(node)
    linear = node.text("interpolation_mode", "LINEAR")
    if linear not in ("LINEAR", "NEAREST_NEIGHBOR"):
        raise node.unknown("interpolation_mode", linear)

    def compute(x: Tensor, shape: list[int]) -> Tensor:
        wanted = shape[len(shape) - count :]
        y = x
        for axis, size in enumerate(wanted, start=x.dim() - count):
            if size in (0, x.shape[axis]):
                continue
            if linear == "LINEAR":
                y = interpolate(y, axis, grid(x.shape[axis], size, mode))
            else:
                y = y.index_select(axis, nearest_indices(x.shape[axis], size, mode))
        return y

    return node.apply(compute, "x", node.run_integers("shape"))


def _sampling(node: Node) -> str:
    mode = node.text("sampling_mode", "DEFAULT")
    if mode not in SAMPLING:
        raise node.unknown("sampling_mode", mode)
    return mode
