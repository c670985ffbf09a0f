"""Tensors put together and taken apart."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("concat", exact=True)
def _concat(node: Node) -> Kernel:
    """Interleaved, the elements of the inputs take turns along the axis. Scalars join as vectors of one."""
    axis, interleave = node.integer("axis"), node.flag("interleave")

    def compute(values: list[Tensor]) -> Tensor:
        if any(value.dim() == 0 for value in values):
            values = [value.reshape(1) if value.dim() == 0 else value for value in values]
        if not interleave:
            return torch.cat(values, axis)
        along = axis % values[0].dim()
        return torch.stack(values, along + 1).flatten(along, along + 1)

    return node.apply(compute, node.all_sources("values"))


@op("stack", exact=True)
def _stack(node: Node) -> Kernel:
    axis = node.integer("axis")
    return node.apply(lambda values: torch.stack(values, axis), node.all_sources("values"))


@op("split", exact=True)
def _split(node: Node) -> Kernel:
    axis, sizes = node.integer("axis"), node.integers("split_sizes")
    parts = node.integer("num_splits", len(sizes or ()))

    def compute(x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, sizes or [x.shape[axis] // parts] * parts, axis)

    return node.apply(compute, "x")
