"""Two inputs, element by element, with broadcasting; and ``select``."""

from __future__ import annotations

from collections.abc import Callable

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


def _floor_div(x: Tensor, y: Tensor) -> Tensor:
    return torch.div(x, y, rounding_mode="floor")


def _real_div(x: Tensor, y: Tensor) -> Tensor:
    """Of two integers the quotient is an integer too: the declared output type cuts its fraction off."""
    if x.is_floating_point() or y.is_floating_point():
        return x / y
    return x.to(torch.float64) / y.to(torch.float64)


def _pow(x: Tensor, y: Tensor) -> Tensor:
    """Integers with a negative exponent go through floating point, where torch would refuse them."""
    if x.is_floating_point() or y.is_floating_point() or not bool((y < 0).any()):
        return torch.pow(x, y)
    return torch.pow(x.to(torch.float64), y.to(torch.float64))


_COMPUTING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "floor_div": _floor_div,
    "mod": torch.remainder,
    "mul": torch.mul,
    "pow": _pow,
    "real_div": _real_div,
    "sub": torch.sub,
}
_CHOOSING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "equal": torch.eq,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "not_equal": torch.ne,
}


@op(*_COMPUTING, fresh=True)
def _computing(node: Node) -> Kernel:
    return node.apply(_COMPUTING[node.kind], "x", "y")


@op(*_CHOOSING, exact=True)
def _choosing(node: Node) -> Kernel:
    return node.apply(_CHOOSING[node.kind], "x", "y")


@op("select", exact=True)
def _select(node: Node) -> Kernel:
    if not node.has("a"):
        return node.apply(lambda cond: torch.nonzero(cond), "cond")
    return node.apply(lambda cond, a, b: torch.where(cond.bool(), a, b), "cond", "a", "b")
