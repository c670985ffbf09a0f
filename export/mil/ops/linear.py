"""Matrix products: ``linear``, ``matmul`` and ``einsum``."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("linear", fresh=True)
def _linear(node: Node) -> Kernel:
    def compute(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, weight = _alike(x, weight)
        return F.linear(x, weight, None if bias is None else bias.to(x.dtype))

    return node.apply(compute, "x", "weight", "bias")


@op("matmul", fresh=True)
def _matmul(node: Node) -> Kernel:
    turn_x, turn_y = node.flag("transpose_x"), node.flag("transpose_y")

    def compute(x: Tensor, y: Tensor) -> Tensor:
        x, y = _alike(x, y)
        if turn_x and x.dim() > 1:
            x = x.transpose(-1, -2)
        if turn_y and y.dim() > 1:
            y = y.transpose(-1, -2)
        return torch.matmul(x, y)

    return node.apply(compute, "x", "y")


@op("einsum", fresh=True)
def _einsum(node: Node) -> Kernel:
    equation = node.text("equation").replace(" ", "")
    return node.apply(lambda values: torch.einsum(equation, *values), node.all_sources("values"))


def _alike(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """From iOS 17 the two may have different dtypes; a float and an integer multiply as floats."""
    if x.is_floating_point() == y.is_floating_point():
        return x, y
    return x.to(torch.float32), y.to(torch.float32)
