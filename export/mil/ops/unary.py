"""One input, element by element; and ``cast``."""

from __future__ import annotations

from collections.abc import Callable

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor

_COMPUTING: dict[str, Callable[[Tensor], Tensor]] = {
    "acos": torch.acos,
    "asin": torch.asin,
    "atan": torch.atan,
    "atanh": torch.atanh,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tan": torch.tan,
    "tanh": torch.tanh,
}
_CHOOSING: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "floor": torch.floor,
    "identity": lambda x: x,
    "logical_not": torch.logical_not,
    "round": torch.round,  # halves to even, as MIL's reference (numpy) does
    "sign": torch.sign,
}
_SATURATES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}


@op(*_COMPUTING, fresh=True)
def _computing(node: Node) -> Kernel:
    return node.apply(_COMPUTING[node.kind], "x")


@op(*_CHOOSING, exact=True)
def _choosing(node: Node) -> Kernel:
    return node.apply(_CHOOSING[node.kind], "x")


@op("inverse", fresh=True)
def _inverse(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-4)
    return node.apply(lambda x: torch.reciprocal(x + epsilon), "x")


@op("rsqrt", fresh=True)
def _rsqrt(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-12)
    return node.apply(lambda x: torch.rsqrt(x + epsilon), "x")


@op("log", fresh=True)
def _log(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-45)
    return node.apply(lambda x: torch.log(x + epsilon), "x")


@op("clip", fresh=True)
def _clip(node: Node) -> Kernel:
    least, most = node.number("alpha"), node.number("beta")
    return node.apply(lambda x: x.clamp(least, most), "x")


@op("threshold", fresh=True)
def _threshold(node: Node) -> Kernel:
    least = node.number("alpha")
    return node.apply(lambda x: x.clamp(min=least), "x")


@op("cast")
def _cast(node: Node) -> Kernel:
    """Numbers too large for a narrow integer become its largest one; fractions are cut off."""
    wanted = node.text("dtype")
    if wanted.startswith("fp"):
        return node.apply(lambda x: x.to(torch.float32), "x")
    if wanted == "bool":
        return node.apply(lambda x: x.bool(), "x")
    if wanted in _SATURATES:
        least, most = _SATURATES[wanted]
        return node.apply(lambda x: x.clamp(least, most).to(torch.int64), "x")
    return node.apply(lambda x: x.to(torch.int64), "x")
