"""Ops that change a tensor's shape or the order of its axes, and the one that tells it."""

from __future__ import annotations

import math

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("reshape", exact=True)
def _reshape(node: Node) -> Kernel:
    """A zero takes over a size of ``x``; both shapes are aligned at their right ends (iOS 17)."""

    def compute(x: Tensor, shape: list[int]) -> Tensor:
        if 0 in shape and x.numel() > 0:
            shift = len(shape) - x.dim()
            shape = [
                size or (x.shape[axis - shift] if axis >= shift else 1) for axis, size in enumerate(shape)
            ]
        return x.reshape(shape)

    return node.apply(compute, "x", node.run_integers("shape"))


@op("reshape_like", exact=True)
def _reshape_like(node: Node) -> Kernel:
    begins, ends = node.required_integers("begins"), node.required_integers("ends")
    whole = [bool(mask) for mask in node.integers("end_masks") or [0] * len(begins)]

    def compute(x: Tensor, references: list[Tensor]) -> Tensor:
        shape: list[int] = []
        for reference, begin, end, to_the_end in zip(references, begins, ends, whole, strict=True):
            shape += reference.shape[begin:] if to_the_end else reference.shape[begin:end]
        return x.reshape(shape)

    return node.apply(compute, "x", node.all_sources("ref_tensors"))


@op("transpose", exact=True)
def _transpose(node: Node) -> Kernel:
    order = node.required_integers("perm")
    return node.apply(lambda x: x.permute(order).contiguous(), "x")


@op("expand_dims", exact=True)
def _expand_dims(node: Node) -> Kernel:
    axes = node.required_integers("axes")

    def compute(x: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return node.apply(compute, "x")


@op("squeeze", exact=True)
def _squeeze(node: Node) -> Kernel:
    """Axes longer than one are left alone, as torch does."""
    axes = node.integers("axes")

    def compute(x: Tensor) -> Tensor:
        if axes is None:
            return x.squeeze()
        for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
            x = x.squeeze(axis)
        return x

    return node.apply(compute, "x")


@op("flatten2d", exact=True)
def _flatten2d(node: Node) -> Kernel:
    given = node.integer("axis", 1)

    def compute(x: Tensor) -> Tensor:
        axis = given if given >= 0 else given + x.dim()
        return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))

    return node.apply(compute, "x")


@op("shape", exact=True)
def _shape(node: Node) -> Kernel:
    return node.apply(lambda x: torch.tensor(x.shape, dtype=torch.int64), "x")


@op("tile", exact=True)
def _tile(node: Node) -> Kernel:
    return node.apply(lambda x, reps: x.repeat(*reps), "x", node.run_integers("reps"))


@op("reverse", exact=True)
def _reverse(node: Node) -> Kernel:
    axes = node.integers("axes")
    return node.apply(lambda x: torch.flip(x, list(range(x.dim())) if axes is None else axes), "x")


@op("reverse_sequence", exact=True)
def _reverse_sequence(node: Node) -> Kernel:
    """The first ``lengths[b]`` elements along ``seq_axis`` are reversed in every batch element ``b``."""
    along, batch = node.integer("seq_axis", 0), node.integer("batch_axis", 0)

    def compute(x: Tensor, lengths: list[int]) -> Tensor:
        steps = torch.arange(x.shape[along])
        count = torch.tensor(lengths)[:, None]
        order = torch.where(steps < count, count - 1 - steps, steps)
        shape = [1] * x.dim()
        shape[batch], shape[along] = order.shape
        if along % x.dim() < batch % x.dim():
            order = order.T
        return torch.gather(x, along, order.reshape(shape).expand(x.shape))

    return node.apply(compute, "x", node.run_integers("lengths"))
