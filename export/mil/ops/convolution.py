"""Convolutions and transposed convolutions over one to three spatial axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.padding import symmetric, torch_order, window_pads
from export.mil.ops.registry import op

Tensor = torch.Tensor

_CONV: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSE: dict[int, Callable[..., Tensor]] = {
    1: F.conv_transpose1d,
    2: F.conv_transpose2d,
    3: F.conv_transpose3d,
}


@op("conv", fresh=True)
def _conv(node: Node) -> Kernel:
    kind, groups = node.text("pad_type", "valid"), node.integer("groups", 1)
    given_strides, given_dilations = node.integers("strides"), node.integers("dilations")
    custom = node.integers("pad")
    steady = kind in ("valid", "custom")  # then the padding does not depend on the input's size
    memo: dict[tuple[int, ...], tuple[int, ...]] = {}

    def compute(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        axes = x.dim() - 2
        strides, dilations = given_strides or [1] * axes, given_dilations or [1] * axes
        key = () if steady else tuple(x.shape[2:])
        if key not in memo:
            memo[key] = window_pads(kind, x.shape[2:], weight.shape[2:], strides, dilations, custom)
        pads = memo[key]
        even = symmetric(pads)
        if even is None:
            x, even = F.pad(x, torch_order(pads)), [0] * axes
        return _CONV[axes](x, weight, bias, strides, even, dilations, groups)

    return node.apply(compute, "x", "weight", "bias")


@op("conv_transpose", fresh=True)
def _conv_transpose(node: Node) -> Kernel:
    """The full result with its edges cut off; what ``output_shape`` asks beyond it is zero, or bias."""
    kind, groups = node.text("pad_type", "valid"), node.integer("groups", 1)
    given_strides, given_dilations = node.integers("strides"), node.integers("dilations")
    custom, wanted = node.integers("pad"), node.integers("output_shape")

    def compute(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        axes = x.dim() - 2
        strides, dilations = given_strides or [1] * axes, given_dilations or [1] * axes
        full = [
            (x.shape[2 + i] - 1) * strides[i] + (weight.shape[2 + i] - 1) * dilations[i] + 1
            for i in range(axes)
        ]
        cuts = list(
            window_pads(kind if kind == "custom" else "valid", full, full, strides, dilations, custom)
        )
        if kind in ("same", "same_lower"):
            sizes = wanted[2:] if wanted else [x.shape[2 + i] * strides[i] for i in range(axes)]
            cuts = []
            for size, target in zip(full, sizes, strict=True):
                total = max(size - target, 0)
                low = total // 2
                cuts += [total - low, low] if kind == "same_lower" else [low, total - low]
        targets = wanted[2:] if wanted else [full[i] - cuts[2 * i] - cuts[2 * i + 1] for i in range(axes)]
        if not wanted and (even := symmetric(cuts)) is not None:
            return _TRANSPOSE[axes](x, weight, bias, strides, even, 0, groups, dilations)
        y = _TRANSPOSE[axes](x, weight, None, strides, 0, 0, groups, dilations)
        missing = [max(0, targets[i] + cuts[2 * i] - full[i]) for i in range(axes)]
        if any(missing):
            y = F.pad(y, torch_order([part for amount in missing for part in (0, amount)]))
        for i in range(axes):
            y = y.narrow(2 + i, cuts[2 * i], targets[i])
        return y.contiguous() if bias is None else y + bias.reshape(1, -1, *[1] * axes)

    return node.apply(compute, "x", "weight", "bias")
