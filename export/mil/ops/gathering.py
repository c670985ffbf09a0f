"""Gathers: elements picked by index."""

from __future__ import annotations

import math

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.indices import IndexRule
from export.mil.ops.registry import op

Tensor = torch.Tensor


@op("gather", exact=True)
def _gather(node: Node) -> Kernel:
    """Shape ``x[:axis] + indices[batch_dims:] + x[axis+1:]``."""
    given, batch, rule = node.integer("axis", 0), node.integer("batch_dims", 0), IndexRule(node)

    def compute(x: Tensor, indices: Tensor) -> Tensor:
        axis = given % x.dim()
        found = rule.safe(indices, x.shape[axis])
        if batch == 0:
            picked = x.index_select(axis, found.reshape(-1))
            return picked.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
        lead = x.shape[:batch]
        many = math.prod(lead)
        inner = found.shape[batch:]
        parts = [
            part.index_select(axis - batch, where.reshape(-1))
            for part, where in zip(
                x.reshape(many, *x.shape[batch:]), found.reshape(many, *inner), strict=True
            )
        ]
        return torch.stack(parts).reshape((*x.shape[:axis], *inner, *x.shape[axis + 1 :]))

    return node.apply(compute, "x", "indices")


@op("gather_along_axis", exact=True)
def _gather_along_axis(node: Node) -> Kernel:
    """The output has the shape of ``indices``; other axes of length one are stretched, as numpy does."""
    given, rule = node.integer("axis", 0), IndexRule(node)

    def compute(x: Tensor, indices: Tensor) -> Tensor:
        axis = given % x.dim()
        found = rule.safe(indices, x.shape[axis])
        sizes = [max(a, b) for a, b in zip(x.shape, found.shape, strict=True)]
        wide_x = x.expand(*sizes[:axis], x.shape[axis], *sizes[axis + 1 :])
        wide_found = found.expand(*sizes[:axis], found.shape[axis], *sizes[axis + 1 :])
        return torch.gather(wide_x, axis, wide_found)

    return node.apply(compute, "x", "indices")


@op("gather_nd", exact=True)
def _gather_nd(node: Node) -> Kernel:
    """The last axis of ``indices`` holds coordinates of ``x``, behind the batch axes they share."""
    batch, rule = node.integer("batch_dims", 0), IndexRule(node)

    def compute(x: Tensor, indices: Tensor) -> Tensor:
        lead = x.shape[:batch]
        many = math.prod(lead)
        flat_x = x.reshape(many, *x.shape[batch:])
        flat = indices.reshape(many, *indices.shape[batch:])
        picked = [_pick(part, where, rule) for part, where in zip(flat_x, flat, strict=True)]
        return torch.stack(picked).reshape((*lead, *picked[0].shape))

    return node.apply(compute, "x", "indices")


def _pick(x: Tensor, indices: Tensor, rule: IndexRule) -> Tensor:
    coordinates = indices.unbind(-1)
    return x[tuple(rule.safe(each, x.shape[axis]) for axis, each in enumerate(coordinates))]
