"""Random tensors. The distributions are Core ML's; the numbers themselves cannot be."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("random_uniform")
def _uniform(node: Node) -> Kernel:
    low, high, stream = node.number("low", 0.0), node.number("high", 1.0), node.generator()
    return node.apply(
        lambda shape: torch.rand(shape, generator=stream) * (high - low) + low, node.run_integers("shape")
    )


@op("random_normal")
def _normal(node: Node) -> Kernel:
    mean, deviation, stream = node.number("mean", 0.0), node.number("stddev", 1.0), node.generator()
    return node.apply(
        lambda shape: torch.randn(shape, generator=stream) * deviation + mean, node.run_integers("shape")
    )


@op("random_bernoulli", exact=True)
def _bernoulli(node: Node) -> Kernel:
    chance, stream = node.number("prob", 0.5), node.generator()
    return node.apply(
        lambda shape: (torch.rand(shape, generator=stream) < chance).to(torch.float32),
        node.run_integers("shape"),
    )


@op("random_categorical", exact=True)
def _categorical(node: Node) -> Kernel:
    """``size`` draws with replacement from every distribution along the last axis."""
    logits, count, stream = node.text("mode", "logits") == "logits", node.integer("size", 1), node.generator()

    def compute(x: Tensor) -> Tensor:
        weights = x.to(torch.float32).reshape(-1, x.shape[-1])
        weights = torch.softmax(weights, -1) if logits else weights
        drawn = torch.multinomial(weights, count, replacement=True, generator=stream)
        return drawn.reshape(*x.shape[:-1], count)

    return node.apply(compute, "x")
