"""Quantised activations (iOS 17): ``quantize`` and ``dequantize`` with scales along an axis."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}


@op("quantize", exact=True)
def _quantize(node: Node) -> Kernel:
    """``clip(round(input / scale) + zero_point)``, halves to even."""
    axis, dtype = node.integer("axis", 0), node.text("output_dtype")
    if dtype not in _LIMITS:
        raise node.unknown("output_dtype", dtype)
    least, most = _LIMITS[dtype]

    def compute(value: Tensor, scale: Tensor, zero: Tensor | None) -> Tensor:
        steps = torch.round(value / _along(scale, value, axis))
        if zero is not None:
            steps = steps + _along(zero, value, axis)
        return steps.clamp(least, most)

    return node.apply(compute, "input", "scale", "zero_point")


@op("dequantize")
def _dequantize(node: Node) -> Kernel:
    """``scale * (input - zero_point)``."""
    axis = node.integer("axis", 0)

    def compute(value: Tensor, scale: Tensor, zero: Tensor | None) -> Tensor:
        wide = value.to(torch.float32)
        if zero is not None:
            wide = wide - _along(zero, value, axis)
        return wide * _along(scale, value, axis)

    return node.apply(compute, "input", "scale", "zero_point")


def _along(vector: Tensor, value: Tensor, axis: int) -> Tensor:
    """A vector shaped to broadcast along one axis; a scalar stays."""
    if vector.dim() == 0:
        return vector
    shape = [1] * value.dim()
    shape[axis] = -1
    return vector.reshape(shape)
