"""Scatters: elements written, or merged, by index."""

from __future__ import annotations

from collections.abc import Callable

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.indices import IndexRule
from export.mil.ops.registry import op

Tensor = torch.Tensor
Merge = Callable[[Tensor, Tensor, Tensor], Tensor]


def _update(flat: Tensor, places: Tensor, values: Tensor) -> Tensor:
    flat[places] = values
    return flat


def _divide(flat: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Divide by the product of everything that meets at a place."""
    divisor = torch.ones_like(flat).scatter_reduce_(0, places, values, "prod")
    return flat / divisor if flat.is_floating_point() else torch.div(flat, divisor, rounding_mode="trunc")


_MODES: dict[str, Merge] = {
    "add": lambda flat, places, values: flat.index_add_(0, places, values),
    "div": _divide,
    "max": lambda flat, places, values: flat.scatter_reduce_(0, places, values, "amax"),
    "min": lambda flat, places, values: flat.scatter_reduce_(0, places, values, "amin"),
    "mul": lambda flat, places, values: flat.scatter_reduce_(0, places, values, "prod"),
    "sub": lambda flat, places, values: flat.index_add_(0, places, values, alpha=-1),
    "update": _update,
}


@op("scatter")
def _scatter(node: Node) -> Kernel:
    """``indices`` is a vector; ``updates`` has its length along the axis."""
    given, rule, merge = node.integer("axis", 0), IndexRule(node), _merge(node)

    def compute(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        axis = given % data.dim()
        where = rule.positions(indices, data.shape[axis])
        shape = [*data.shape[:axis], *where.shape, *data.shape[axis + 1 :]]
        side = [1] * axis + list(where.shape) + [1] * (data.dim() - axis - 1)
        places = _places(data, shape, axis, where.reshape(side))
        return _write(data, places, updates.expand(shape), merge)

    return node.apply(compute, "data", "indices", "updates")


@op("scatter_along_axis")
def _scatter_along_axis(node: Node) -> Kernel:
    given, rule, merge = node.integer("axis", 0), IndexRule(node), _merge(node)

    def compute(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        axis = given % data.dim()
        where = rule.positions(indices, data.shape[axis])
        places = _places(data, list(where.shape), axis, where)
        return _write(data, places, updates.expand(where.shape), merge)

    return node.apply(compute, "data", "indices", "updates")


@op("scatter_nd")
def _scatter_nd(node: Node) -> Kernel:
    """The last axis of ``indices`` holds coordinates of ``data``."""
    rule, merge = IndexRule(node), _merge(node)

    def compute(data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        depth = indices.shape[-1]
        strides = _strides(data.shape)
        start = torch.zeros(indices.shape[:-1], dtype=torch.int64)
        for axis in range(depth):
            where = rule.positions(indices[..., axis], data.shape[axis])
            start = _add(start, where, data.shape[axis], strides[axis])
        rest = torch.arange(strides[depth - 1] if depth else data.numel())
        places = torch.where(start[..., None] < 0, start[..., None], start[..., None] + rest)
        return _write(data, places, updates.reshape(places.shape), merge)

    return node.apply(compute, "data", "indices", "updates")


def _merge(node: Node) -> Merge:
    mode = node.text("mode", "add")
    if mode not in _MODES:
        raise node.unknown("mode", mode)
    return _MODES[mode]


def _strides(shape: torch.Size) -> list[int]:
    steps = [1]
    for size in reversed(shape[1:]):
        steps.insert(0, steps[0] * size)
    return steps


def _add(place: Tensor, where: Tensor, size: int, stride: int) -> Tensor:
    """Flat places moved along one axis; negative (to be left out) when the position is out of range."""
    outside = (where < 0) | (where >= size) | (place < 0)
    return torch.where(outside, torch.full_like(place, -1), place + where * stride)


def _places(data: Tensor, shape: list[int], axis: int, where: Tensor) -> Tensor:
    """Flat places of a block of ``shape`` whose positions along ``axis`` are given by ``where``."""
    place = torch.zeros([1] * len(shape), dtype=torch.int64)
    for each, stride in enumerate(_strides(data.shape)):
        if each != axis:
            side = [1] * len(shape)
            side[each] = shape[each]
            place = place + torch.arange(shape[each]).reshape(side) * stride
    return _add(place.expand(shape), where.expand(shape), data.shape[axis], _strides(data.shape)[axis])


def _write(data: Tensor, places: Tensor, updates: Tensor, merge: Merge) -> Tensor:
    flat, values = places.reshape(-1), updates.reshape(-1).to(data.dtype)
    inside = flat >= 0
    if not bool(inside.all()):
        flat, values = flat[inside], values[inside]
    return merge(data.clone().reshape(-1), flat, values).reshape(data.shape)
