"""Normalisations; formulas as in the op documentation of coremltools."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("batch_norm", fresh=True)
def _batch_norm(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-5)

    def compute(
        x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor | None, beta: Tensor | None
    ) -> Tensor:
        return F.batch_norm(x, mean, variance, gamma, beta, False, 0.0, epsilon)

    return node.apply(compute, "x", "mean", "variance", "gamma", "beta")


@op("instance_norm", fresh=True)
def _instance_norm(node: Node) -> Kernel:
    """Mean and (biased) variance over the spatial axes of every sample and channel."""
    epsilon = node.number("epsilon", 1e-5)

    def compute(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        axes = list(range(2, x.dim()))
        centred = x - x.mean(axes, keepdim=True)
        y = centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + epsilon)
        shape = [1, -1, *[1] * len(axes)]
        y = y if gamma is None else y * gamma.reshape(shape)
        return y if beta is None else y + beta.reshape(shape)

    return node.apply(compute, "x", "gamma", "beta")


@op("layer_norm", fresh=True)
def _layer_norm(node: Node) -> Kernel:
    """Over the given axes (all of them by default), which need not be the last ones."""
    given, epsilon = node.integers("axes"), node.number("epsilon", 1e-5)

    def compute(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        rank = x.dim()
        axes = list(range(rank)) if given is None else sorted(axis % rank for axis in given)
        if axes == list(range(rank - len(axes), rank)):
            shape = list(x.shape[rank - len(axes) :])
            gamma = None if gamma is None else gamma.reshape(shape)
            beta = None if beta is None else beta.reshape(shape)
            return F.layer_norm(x, shape, gamma, beta, epsilon)
        centred = x - x.mean(axes, keepdim=True)
        y = centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + epsilon)
        shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        y = y if gamma is None else y * gamma.reshape(shape)
        return y if beta is None else y + beta.reshape(shape)

    return node.apply(compute, "x", "gamma", "beta")


@op("l2_norm", fresh=True)
def _l2_norm(node: Node) -> Kernel:
    """``x / sqrt(sum(x^2) + epsilon)`` over the last three axes."""
    epsilon = node.number("epsilon", 1e-6)

    def compute(x: Tensor) -> Tensor:
        axes = list(range(max(0, x.dim() - 3), x.dim()))
        return x / torch.sqrt((x * x).sum(axes, keepdim=True) + epsilon)

    return node.apply(compute, "x")


@op("local_response_norm", fresh=True)
def _local_response_norm(node: Node) -> Kernel:
    """``x / (k + alpha / size * sum(x_j^2))^beta`` over ``size`` channels, zero outside the tensor.

    Channels are the first of three axes (so coremltools' tests have it, against the
    documentation), and the second of more.
    """
    size = node.integer("size")
    alpha, beta, k = node.number("alpha", 1e-4), node.number("beta", 0.75), node.number("k", 1.0)
    before, after = size // 2, (size - 1) // 2

    def compute(x: Tensor) -> Tensor:
        whole = x[None] if x.dim() == 3 else x
        squares = (whole * whole).reshape(*whole.shape[:2], math.prod(whole.shape[2:]))[:, None]
        padded = F.pad(squares, (0, 0, before, after))
        mean = F.avg_pool2d(padded, (size, 1), stride=1).reshape(x.shape)
        return x / (k + alpha * mean) ** beta

    return node.apply(compute, "x")
