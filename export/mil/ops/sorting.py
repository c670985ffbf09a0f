"""Order: ``argsort`` and ``topk``; among equals the first comes first."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("argsort", exact=True)
def _argsort(node: Node) -> Kernel:
    axis, ascending = node.integer("axis", -1), node.flag("ascending")
    return node.apply(lambda x: torch.argsort(x, dim=axis, descending=not ascending, stable=True), "x")


@op("topk", exact=True)
def _topk(node: Node) -> Kernel:
    """``k`` of -1 takes all; the result is sorted even where MIL does not ask for it."""
    axis, ascending = node.integer("axis", -1), node.flag("ascending")
    with_indices = node.flag("return_indices", True)

    def compute(x: Tensor, k: int) -> Tensor | tuple[Tensor, Tensor]:
        count = x.shape[axis] if k == -1 else k
        values, where = torch.sort(x, dim=axis, descending=not ascending, stable=True)
        first = values.narrow(axis, 0, count)
        return (first, where.narrow(axis, 0, count)) if with_indices else first

    return node.apply(compute, "x", node.run_integer("k", 1))
