"""Lists of tensors that grow when they are written to (TensorArray)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor


@dataclass(frozen=True)
class TensorList:
    """An immutable list; places nobody wrote to read as zeros of the element's shape."""

    items: tuple[Tensor | None, ...]
    shape: tuple[int, ...] | None

    def read(self, index: int) -> Tensor:
        """The element at ``index``."""
        found = self.items[index]
        if found is not None:
            return found
        shape = self.shape
        if shape is None:  # sizes known at run time only: any written element tells them
            shape = next((tuple(item.shape) for item in self.items if item is not None), ())
        return torch.zeros(shape)

    def write(self, index: int, value: Tensor) -> TensorList:
        """A copy with one element replaced, lengthened if need be."""
        grown = [*self.items, *[None] * (index + 1 - len(self.items))]
        grown[index] = value
        return TensorList(tuple(grown), self.shape)


@op("make_list", exact=True)
def _make_list(node: Node) -> Kernel:
    """Symbolic element shapes are strings in the spec; then the shape is learned from what is written."""
    given = node.constant("elem_shape", [])
    sizes = given if isinstance(given, list) else [given]
    flat = [part for each in sizes for part in (each if isinstance(each, list) else [each])]
    shape = None if any(not isinstance(part, int) or part < 0 for part in flat) else tuple(flat)
    return node.apply(lambda length: TensorList((None,) * length, shape), node.run_integer("init_length", 1))


@op("list_length", exact=True)
def _list_length(node: Node) -> Kernel:
    return node.apply(lambda ls: torch.tensor(len(ls.items)), "ls")


@op("list_write", exact=True)
def _list_write(node: Node) -> Kernel:
    return node.apply(
        lambda ls, index, value: ls.write(index, value), "ls", node.run_integer("index"), "value"
    )


@op("list_read", exact=True)
def _list_read(node: Node) -> Kernel:
    return node.apply(lambda ls, index: ls.read(index), "ls", node.run_integer("index"))


@op("list_gather", exact=True)
def _list_gather(node: Node) -> Kernel:
    return node.apply(
        lambda ls, indices: torch.stack([ls.read(index) for index in indices]),
        "ls",
        node.run_integers("indices"),
    )


@op("list_scatter", exact=True)
def _list_scatter(node: Node) -> Kernel:
    def compute(ls: TensorList, indices: list[int], values: Tensor) -> TensorList:
        for index, value in zip(indices, values, strict=True):
            ls = ls.write(index, value)
        return ls

    return node.apply(compute, "ls", node.run_integers("indices"), "value")
