"""Elements moved between depth, batch and space, windows slid over an axis, and padding."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.padding import torch_order
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("depth_to_space", exact=True)
def _depth_to_space(node: Node) -> Kernel:
    """The block's row and column are the slowest part of the channel index (unlike ``pixel_shuffle``)."""
    b = node.integer("block_size")

    def compute(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        parts = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
        return parts.reshape(n, c // (b * b), h * b, w * b)

    return node.apply(compute, "x")


@op("space_to_depth", exact=True)
def _space_to_depth(node: Node) -> Kernel:
    b = node.integer("block_size")

    def compute(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        parts = x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4)
        return parts.reshape(n, c * b * b, h // b, w // b)

    return node.apply(compute, "x")


@op("pixel_shuffle", exact=True)
def _pixel_shuffle(node: Node) -> Kernel:
    factor = node.integer("upscale_factor")
    return node.apply(lambda x: F.pixel_shuffle(x, factor), "x")


@op("pixel_unshuffle", exact=True)
def _pixel_unshuffle(node: Node) -> Kernel:
    factor = node.integer("downscale_factor")
    return node.apply(lambda x: F.pixel_unshuffle(x, factor), "x")


@op("space_to_batch", exact=True)
def _space_to_batch(node: Node) -> Kernel:
    blocks, pads = node.required_integers("block_shape"), node.required_integers("paddings")
    axes = len(blocks)

    def compute(x: Tensor) -> Tensor:
        x = F.pad(x, torch_order(pads))
        batch, channels, *sizes = x.shape
        shape = [batch, channels]
        for size, block in zip(sizes, blocks, strict=True):
            shape += [size // block, block]
        order = [3 + 2 * i for i in range(axes)] + [0, 1] + [2 + 2 * i for i in range(axes)]
        small = [size // block for size, block in zip(sizes, blocks, strict=True)]
        return x.reshape(shape).permute(order).reshape(batch * math.prod(blocks), channels, *small)

    return node.apply(compute, "x")


@op("batch_to_space", exact=True)
def _batch_to_space(node: Node) -> Kernel:
    blocks, crops = node.required_integers("block_shape"), node.required_integers("crops")
    axes = len(blocks)

    def compute(x: Tensor) -> Tensor:
        batch, channels, *sizes = x.shape
        batch //= math.prod(blocks)
        order = [axes, axes + 1] + [place for i in range(axes) for place in (axes + 2 + i, i)]
        large = [size * block for size, block in zip(sizes, blocks, strict=True)]
        y = x.reshape(*blocks, batch, channels, *sizes).permute(order).reshape(batch, channels, *large)
        for i in range(axes):
            y = y.narrow(2 + i, crops[2 * i], large[i] - crops[2 * i] - crops[2 * i + 1])
        return y

    return node.apply(compute, "x")


@op("sliding_windows", exact=True)
def _sliding_windows(node: Node) -> Kernel:
    given, size, stride = node.integer("axis"), node.integer("size"), node.integer("stride", 1)

    def compute(x: Tensor) -> Tensor:
        axis = given % x.dim()
        return x.unfold(axis, size, stride).movedim(-1, axis + 1)

    return node.apply(compute, "x")


@op("pad", exact=True)
def _pad(node: Node) -> Kernel:
    """``pad`` covers the last axes of ``x``: begin and end of each."""
    mode, fill = node.text("mode", "constant"), node.constant("constant_val", 0.0)
    if mode not in ("constant", "reflect", "replicate"):
        raise node.unknown("mode", mode)

    def compute(x: Tensor, pads: list[int]) -> Tensor:
        if mode == "constant":
            return F.pad(x, torch_order(pads), value=fill)
        first = x.dim() - len(pads) // 2
        for axis in range(first, x.dim()):
            low, high = pads[2 * (axis - first) : 2 * (axis - first) + 2]
            if low or high:
                x = x.index_select(axis, _mirrored(x.shape[axis], low, high, mode))
        return x

    return node.apply(compute, "x", node.run_integers("pad"))


def _mirrored(size: int, low: int, high: int, mode: str) -> Tensor:
    """Positions of an axis continued beyond both ends; ``reflect`` does not repeat the border."""
    positions = torch.arange(-low, size + high)
    if mode == "replicate":
        return positions.clamp(0, size - 1)
    positions = positions.abs()
    return torch.where(positions >= size, 2 * (size - 1) - positions, positions)
