"""Which ops of a torch graph compute on 8 bits, and which values have to share a scale."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import Graph, Node

_CONVOLUTIONS = ("conv1d.default", "conv1d.padding", "conv2d.default", "conv2d.padding")
_ONE_DIMENSIONAL = ("conv1d.default", "conv1d.padding")
_TRANSPOSED = ("conv_transpose2d.input",)
_PRODUCTS = (*_CONVOLUTIONS, *_TRANSPOSED, "linear.default")
_MOVES = (
    "cat.default",
    "constant_pad_nd.default",
    "dropout.default",
    "flatten.using_ints",
    "hardtanh.default",
    "max_pool2d.default",
    "permute.default",
    "relu.default",
    "relu6.default",
    "reshape.default",
    "slice.Tensor",
    "squeeze.dim",
    "transpose.int",
    "unsqueeze.default",
    "upsample_nearest2d.vec",
    "view.default",
)
"""Their output has its input's scale: they only move or cut numbers (a cat's inputs all share one)."""
_CLAMPS = ("relu.default", "relu6.default", "hardtanh.default")
_LEAST_ELEMENTS = 256
_GATE = "sigmoid.default"
GATE_RANGE = (0.0, 255 / 256)
"""XNNPACK's 8-bit sigmoid gives steps of 1/256 from 0, whatever was seen."""


@dataclass(frozen=True)
class Plan:
    """What is quantized in a graph, by node names.

    ``products``: convolutions and linears, with the axis of their weights' output channels. ``ops``: every op
    that reads 8 bits. ``made``: the values that such ops give in 8 bits. ``groups``: every value that is ever
    in 8 bits and the name of the group it shares a scale with. ``gates``: groups with ``GATE_RANGE``.
    ``answers``: the 8-bit values that the tail or the caller reads. ``gated``: what only a SiLU reads.
    """

    products: dict[str, int]
    ops: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    groups: dict[str, str] = field(default_factory=dict)
    gates: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    gated: frozenset[str] = frozenset()


def plan_weights(graph: Graph) -> Plan:
    """Weights alone, of every product that has enough of them to be worth their scales."""
    return Plan(
        {node.name: _axis(node) for node in _products(graph) if _elements(node.args[1]) >= _LEAST_ELEMENTS}
    )


def plan_dynamic(graph: Graph, wide: Collection[str]) -> Plan:
    """The products that XNNPACK quantizes the input of at every call: no grouped or 1-D convolutions."""
    return Plan(
        {
            node.name: _axis(node)
            for node in _products(graph)
            if node.name not in wide and _kind(node) not in _ONE_DIMENSIONAL and _grouping(node) == 1
        }
    )


def plan_activations(graph: Graph, tail: Collection[str], gates: bool, widened: Collection[str] = ()) -> Plan:
    """Weights and activations.

    A clamp right behind a product is part of it, also where it is the first op of the tail.

    Args:
        graph: without in-place ops, see ``export.formats.executorch_rewrite.spell_out``.
        tail: names of the ops behind the last weights, which stay float.
        gates: whether sigmoids compute in 8 bits.
        widened: names of further ops that stay float.
    """
    wide = {*tail, *widened}
    products = {node.name: _axis(node) for node in _products(graph) if node.name not in wide}
    groups, ops, made, fixed = _Groups(), set[str](), set[str](), set[str]()
    for node in graph.nodes:
        kind, inputs = _kind(node), [each.name for each in node.all_input_nodes]
        if node.name in made or not kind or not _is_float(node):
            continue
        if node.name in products:
            groups.add(inputs[0])
        elif node.name in wide or not made.intersection(inputs):
            continue
        elif _computes(node, kind, gates):
            for name in inputs:
                groups.add(name)
        elif kind in _MOVES and not fixed.intersection(map(groups.of, inputs)):
            for name in inputs:
                groups.join(name, node.name)
        else:
            continue
        clamp = _clamp_behind(node)
        result = node.name if clamp is None else clamp.name
        ops.add(node.name)
        groups.add(result)
        made.add(result)
        if kind == _GATE:
            fixed.add(node.name)
    kept = [node for node in graph.nodes if node.name in made]
    return Plan(
        products=products,
        ops=frozenset(ops),
        made=frozenset(made),
        groups=groups.found(),
        gates=frozenset(fixed),
        answers=frozenset(
            node.name for node in kept if any(user.op == "output" or user.name in tail for user in node.users)
        ),
        gated=frozenset(node.name for node in kept if _is_gated(node, fixed)),
    )


class _Groups:
    """Union-find over value names."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def add(self, name: str) -> None:
        self._parent.setdefault(name, name)

    def join(self, one: str, other: str) -> None:
        self.add(one)
        self.add(other)
        self._parent[self.of(other)] = self.of(one)

    def of(self, name: str) -> str:
        while self._parent.get(name, name) != name:
            name = self._parent[name]
        return name

    def found(self) -> dict[str, str]:
        return {name: self.of(name) for name in self._parent}


def _products(graph: Graph) -> Iterator[Node]:
    """Convolutions and linears that XNNPACK has 8-bit kernels for and whose weights are constant."""
    for node in graph.nodes:
        if _kind(node) not in _PRODUCTS or getattr(node.args[1], "op", "") != "get_attr":
            continue
        if _kind(node) not in _TRANSPOSED or _grouping(node) == 1:
            yield node


def _grouping(node: Node) -> int:
    """Groups of a convolution; 1 for a linear."""
    groups = node.args[6] if len(node.args) > 6 else node.kwargs.get("groups", 1)
    assert isinstance(groups, int)
    return groups


def _axis(node: Node) -> int:
    """The axis of output channels in the weights."""
    return 1 if _kind(node) in _TRANSPOSED else 0


def _clamp_behind(node: Node) -> Node | None:
    """The only reader, where XNNPACK runs it inside this op."""
    if len(node.users) != 1:
        return None
    (user,) = node.users
    kind = _kind(user)
    fused = kind in _CLAMPS if _kind(node) in _PRODUCTS else kind == "relu.default"
    return user if fused and _kind(node) in (*_PRODUCTS, "add.Tensor") else None


def _is_gated(node: Node, gates: Collection[str]) -> bool:
    """Whether the only readers are a sigmoid and the product with it, which together are SiLU."""
    readers = {_kind(user): user for user in node.users}
    if len(node.users) != 2 or set(readers) != {_GATE, "mul.Tensor"}:
        return False
    gate = readers[_GATE]
    return gate.name in gates and gate in readers["mul.Tensor"].all_input_nodes


def _computes(node: Node, kind: str, gates: bool) -> bool:
    """Whether XNNPACK has an 8-bit kernel with a scale of its own for the output."""
    if kind in ("add.Tensor", "mul.Tensor", "sub.Tensor"):
        return not node.kwargs and len(node.args) == 2 and all(map(_is_float, node.args))
    if kind == "mean.dim":
        whole = len(node.args) == 3 and bool(node.args[2]) and not node.kwargs
        axes: Any = node.args[1]
        return whole and _rank(node.args[0]) == 4 and {axis % 4 for axis in axes} == {2, 3}
    if kind == "adaptive_avg_pool2d.default":
        return tuple(node.args[1]) == (1, 1)  # type: ignore[arg-type]
    return gates and kind == _GATE


def _kind(node: Node) -> str:
    """``conv2d.default`` and the like; empty for what is no call of a torch op."""
    if node.op != "call_function":
        return ""
    return str(node.target).removeprefix("aten.")


def _is_float(value: Any) -> bool:
    import torch

    meta = getattr(value, "meta", {})
    return isinstance(meta.get("val"), torch.Tensor) and meta["val"].dtype == torch.float32


def _elements(value: Any) -> int:
    return int(value.meta["val"].numel())


def _rank(value: Any) -> int:
    return int(value.meta["val"].dim())
