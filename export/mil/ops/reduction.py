"""Reductions over axes, and the positions of extremes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor
Axes = tuple[int, ...]


def _wide(x: Tensor) -> Tensor:
    """Floats stay; integers become fp64, whose result the declared output type cuts to an integer."""
    return x if x.is_floating_point() else x.to(torch.float64)


def _prod(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_COMPUTING: dict[str, Callable[[Tensor, Axes, bool], Tensor]] = {
    "reduce_l1_norm": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "reduce_l2_norm": lambda x, axes, keep: torch.sqrt(_wide(x).square().sum(axes, keepdim=keep)),
    "reduce_log_sum": lambda x, axes, keep: torch.log(_wide(x).sum(axes, keepdim=keep)),
    "reduce_log_sum_exp": lambda x, axes, keep: torch.logsumexp(_wide(x), axes, keepdim=keep),
    "reduce_mean": lambda x, axes, keep: _wide(x).mean(axes, keepdim=keep),
    "reduce_prod": _prod,
    "reduce_sum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "reduce_sum_square": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep),
}
_CHOOSING: dict[str, Callable[[Tensor, Axes, bool], Tensor]] = {
    "reduce_max": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "reduce_min": lambda x, axes, keep: x.amin(axes, keepdim=keep),
}
_POSITIONS: dict[str, Callable[..., Tensor]] = {"reduce_argmax": torch.argmax, "reduce_argmin": torch.argmin}


@op(*_COMPUTING)
def _computing(node: Node) -> Kernel:
    return _over_axes(node, _COMPUTING[node.kind])


@op(*_CHOOSING, exact=True)
def _choosing(node: Node) -> Kernel:
    return _over_axes(node, _CHOOSING[node.kind])


@op(*_POSITIONS, exact=True)
def _positions(node: Node) -> Kernel:
    find, axis, keep = _POSITIONS[node.kind], node.integer("axis", -1), node.flag("keep_dims")
    return node.apply(lambda x: find(x, axis, keepdim=keep), "x")


def _over_axes(node: Node, function: Callable[[Tensor, Axes, bool], Tensor]) -> Kernel:
    """Without axes (or with none in the list) all of them are reduced."""
    given, keep = node.integers("axes"), node.flag("keep_dims")

    def compute(x: Tensor) -> Tensor:
        axes = tuple(given) if given else tuple(range(x.dim()))
        return function(x, axes, keep) if axes else function(x.reshape(1), (0,), False)

    return node.apply(compute, "x")
