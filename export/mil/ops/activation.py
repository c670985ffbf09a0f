"""Activations: element by element, with constant parameters; softmax is among them as in MIL."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


def _clamped_relu(value: Tensor, slope: float, most: float) -> Tensor:
    """``min(beta, x)`` from zero on, ``min(beta, alpha * x)`` below."""
    return torch.where(value >= 0, value, value * slope).clamp(max=most)


def sigmoid_hard(value: Tensor, slope: float = 0.2, offset: float = 0.5) -> Tensor:
    """``min(max(alpha * x + beta, 0), 1)``."""
    return (value * slope + offset).clamp(0, 1)


@op("relu", exact=True)
def _relu(node: Node) -> Kernel:
    return node.apply(torch.relu, "x")


@op("relu6", exact=True)
def _relu6(node: Node) -> Kernel:
    return node.apply(lambda x: x.clamp(0, 6), "x")


_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "softsign": F.softsign,
}


@op(*_PLAIN, fresh=True)
def _plain(node: Node) -> Kernel:
    return node.apply(_PLAIN[node.kind], "x")


@op("gelu", fresh=True)
def _gelu(node: Node) -> Kernel:
    mode = node.text("mode", "EXACT")
    if mode == "EXACT":
        return node.apply(F.gelu, "x")
    if mode == "TANH_APPROXIMATION":
        return node.apply(lambda x: F.gelu(x, approximate="tanh"), "x")
    if mode == "SIGMOID_APPROXIMATION":
        return node.apply(lambda x: x * torch.sigmoid(1.702 * x), "x")
    raise node.unknown("mode", mode)


@op("elu", fresh=True)
def _elu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return node.apply(lambda x: F.elu(x, alpha), "x")


@op("leaky_relu", fresh=True)
def _leaky_relu(node: Node) -> Kernel:
    alpha = node.number("alpha", 0.01)
    return node.apply(lambda x: F.leaky_relu(x, alpha), "x")


@op("clamped_relu", fresh=True)
def _clamped(node: Node) -> Kernel:
    alpha, beta = node.number("alpha"), node.number("beta")
    return node.apply(lambda x: _clamped_relu(x, alpha, beta), "x")


@op("linear_activation", fresh=True)
def _linear_activation(node: Node) -> Kernel:
    alpha, beta = node.number("alpha"), node.number("beta", 0.0)
    return node.apply(lambda x: x * alpha + beta, "x")


@op("scaled_tanh", fresh=True)
def _scaled_tanh(node: Node) -> Kernel:
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    return node.apply(lambda x: alpha * torch.tanh(beta * x), "x")


@op("sigmoid_hard", fresh=True)
def _sigmoid_hard(node: Node) -> Kernel:
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return node.apply(lambda x: sigmoid_hard(x, alpha, beta), "x")


@op("thresholded_relu", exact=True)
def _thresholded_relu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return node.apply(lambda x: torch.where(x >= alpha, x, torch.zeros((), dtype=x.dtype)), "x")


@op("prelu", fresh=True)
def _prelu(node: Node) -> Kernel:
    return node.apply(lambda x, alpha: torch.where(x > 0, x, x * _along_channels(alpha, x)), "x", "alpha")


@op("softplus_parametric", fresh=True)
def _softplus_parametric(node: Node) -> Kernel:
    def compute(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        return _along_channels(alpha, x) * F.softplus(x * _along_channels(beta, x), threshold=80.0)

    return node.apply(compute, "x", "alpha", "beta")


@op("softmax", fresh=True)
def _softmax(node: Node) -> Kernel:
    axis = node.integer("axis", -1)
    return node.apply(lambda x: torch.softmax(x, axis), "x")


def _along_channels(vector: Tensor, value: Tensor) -> Tensor:
    """A vector of one number a channel, shaped to broadcast along axis 1."""
    return vector.reshape(1, -1, *[1] * (value.dim() - 2)) if vector.dim() == 1 else vector
