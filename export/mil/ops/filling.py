"""Tensors made from little: filled, counted, one-hot, masked by a band, summed up along the way."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node, Source
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("fill", exact=True)
def _fill(node: Node) -> Kernel:
    return node.apply(torch.full, node.run_integers("shape"), _scalar(node, "value", 0.0))


@op("fill_like", exact=True)
def _fill_like(node: Node) -> Kernel:
    return node.apply(
        lambda reference, value: torch.full(reference.shape, value), "ref_tensor", _scalar(node, "value", 0.0)
    )


@op("range_1d")
def _range_1d(node: Node) -> Kernel:
    return node.apply(
        lambda start, end, step: torch.arange(start.item(), end.item(), step.item()), "start", "end", "step"
    )


@op("one_hot", exact=True)
def _one_hot(node: Node) -> Kernel:
    axis = node.integer("axis", -1)
    on, off = node.constant("on_value", 1), node.constant("off_value", 0)

    def compute(indices: Tensor, size: int) -> Tensor:
        found = torch.where(indices < 0, indices + size, indices)
        chosen = found.unsqueeze(-1) == torch.arange(size)
        return torch.where(chosen, torch.tensor(on), torch.tensor(off)).movedim(-1, axis)

    return node.apply(compute, "indices", node.run_integer("one_hot_vector_size"))


@op("non_zero", exact=True)
def _non_zero(node: Node) -> Kernel:
    return node.apply(torch.nonzero, "x")


@op("band_part", exact=True)
def _band_part(node: Node) -> Kernel:
    """Zero outside ``lower`` diagonals below and ``upper`` above the main one; negative keeps all."""
    lower, upper = node.integer("lower", -1), node.integer("upper", -1)

    def compute(x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        below = torch.arange(rows)[:, None] - torch.arange(columns)
        kept = torch.ones(rows, columns, dtype=torch.bool)
        if lower >= 0:
            kept &= below <= lower
        if upper >= 0:
            kept &= -below <= upper
        return torch.where(kept, x, torch.zeros((), dtype=x.dtype))

    return node.apply(compute, "x")


@op("cumsum")
def _cumsum(node: Node) -> Kernel:
    axis = node.integer("axis", 0)
    exclusive, backwards = node.flag("exclusive"), node.flag("reverse")

    def compute(x: Tensor) -> Tensor:
        x = x.flip(axis) if backwards else x
        if exclusive:
            zero = torch.zeros_like(x.narrow(axis, 0, 1))
            x = torch.cat([zero, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        y = x.cumsum(axis)
        return y.flip(axis) if backwards else y

    return node.apply(compute, "x")


def _scalar(node: Node, name: str, default: float) -> Source:
    value = node.constant(name, default)
    while isinstance(value, list):
        (value,) = value
    return Source(lambda frame: value, known=True)
