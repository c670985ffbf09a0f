"""Slices: read by index or size, and written (``slice_update``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@dataclass(frozen=True)
class _Masks:
    """The constant parameters of a slice; a mask that is not given is empty."""

    stride: Sequence[int]
    begin: Sequence[int]
    end: Sequence[int]
    squeeze: Sequence[int]

    @classmethod
    def of(cls, node: Node) -> _Masks:
        names = ("stride", "begin_mask", "end_mask", "squeeze_mask")
        return cls(*(node.integers(name) or () for name in names))

    def ranges(self, shape: Sequence[int], begin: Sequence[int], end: Sequence[int]) -> list[range | int]:
        """What is taken of every axis: a range of positions, or one position that drops the axis."""
        taken: list[range | int] = []
        for axis, size in enumerate(shape):
            first = None if self.begin and self.begin[axis] else begin[axis]
            last = None if self.end and self.end[axis] else end[axis]
            step = self.stride[axis] if self.stride else 1
            if self.squeeze and self.squeeze[axis]:
                taken.append(range(size)[first or 0])
            else:
                taken.append(range(size)[slice(first, last, step)])
        return taken


@op("slice_by_index", exact=True)
def _slice_by_index(node: Node) -> Kernel:
    masks = _Masks.of(node)
    return node.apply(
        lambda x, begin, end: take(x, masks.ranges(x.shape, begin, end)),
        "x",
        node.run_integers("begin"),
        node.run_integers("end"),
    )


@op("slice_by_size", exact=True)
def _slice_by_size(node: Node) -> Kernel:
    """A size of -1 takes everything from ``begin`` on."""

    def compute(x: Tensor, begin: list[int], sizes: list[int]) -> Tensor:
        for axis, (first, size) in enumerate(zip(begin, sizes, strict=True)):
            first = first % x.shape[axis] if first < 0 else first
            x = x.narrow(axis, first, x.shape[axis] - first if size == -1 else size)
        return x

    return node.apply(compute, "x", node.run_integers("begin"), node.run_integers("size"))


@op("slice_update", exact=True)
def _slice_update(node: Node) -> Kernel:
    masks = _Masks.of(node)

    def compute(x: Tensor, update: Tensor, begin: list[int], end: list[int]) -> Tensor:
        result = x.clone()
        part, backwards = result, []
        for axis, taken in enumerate(masks.ranges(x.shape, begin, end)):
            positions = range(taken, taken + 1) if isinstance(taken, int) else taken
            if positions.step < 0:
                backwards.append(axis)
                positions = positions[::-1]
            part = _forwards(part, axis, positions)
        part.copy_(update.reshape(part.shape).flip(backwards))
        return result

    return node.apply(compute, "x", "update", node.run_integers("begin"), node.run_integers("end"))


def take(x: Tensor, ranges: Sequence[range | int]) -> Tensor:
    """The elements at the given positions of every axis; a view where torch can make one."""
    axis = 0
    for taken in ranges:
        if isinstance(taken, int):
            x = x.select(axis, taken)
            continue
        if taken.step < 0:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64))
        else:
            x = _forwards(x, axis, taken)
        axis += 1
    return x


def _forwards(x: Tensor, axis: int, positions: range) -> Tensor:
    """A view of positions with a positive step."""
    if len(positions) == x.shape[axis]:
        return x
    if positions.step == 1 or not positions:
        return x.narrow(axis, positions.start if positions else 0, len(positions))
    where = (slice(None),) * axis + (slice(positions.start, positions.stop, positions.step),)
    return x[where]
