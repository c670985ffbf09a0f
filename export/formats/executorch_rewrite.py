"""Rewrite a torch graph into ops that XNNPACK takes at any precision, so that it is not cut into pieces."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import Graph, GraphModule, Node


def spell_out(module: GraphModule) -> None:
    """In-place ops become plain ones, SiLU ``x * sigmoid(x)``, splits slices, and zero pads constant ones.

    ExecuTorch's decomposition of SiLU casts up and down (which cuts a half-precision YOLO into 124
    partitions), and XNNPACK has no split, but a slice of any type.
    """
    import torch

    aten = torch.ops.aten
    splits = (aten.split_with_sizes.default, aten.split.Tensor, aten.chunk.default)
    without_places(module)
    for node in list(module.graph.nodes):
        if node.op != "call_function":
            continue
        if node.target == aten.silu.default:
            with module.graph.inserting_before(node):
                gate = module.graph.call_function(aten.sigmoid.default, (node.args[0],))
                value = module.graph.call_function(aten.mul.Tensor, (node.args[0], gate))
            gate.meta["val"] = value.meta["val"] = node.meta["val"]
            node.replace_all_uses_with(value)
            module.graph.erase_node(node)
        elif node.target in splits:
            _slices(module.graph, node)
        elif node.target == aten.pad.default and _fills_zeros(node):
            node.target, node.args, node.kwargs = aten.constant_pad_nd.default, (*node.args[:2], 0.0), {}
    module.graph.eliminate_dead_code()
    module.recompile()


def _fills_zeros(pad: Node) -> bool:
    """Not the -inf in front of a max pool, which 8 bits do not have."""
    rest: dict[str, Any] = dict(zip(("mode", "value"), pad.args[2:], strict=False)) | pad.kwargs
    return rest.get("mode", "constant") == "constant" and not rest.get("value")


def without_places(module: GraphModule) -> None:
    """``relu_(x)`` becomes ``relu(x)``, and what reads ``x`` later reads the result."""
    passed: dict[Node, int] = {node: number for number, node in enumerate(module.graph.nodes)}
    for node in list(module.graph.nodes):
        plain = _plain(node)
        if plain is None:
            continue
        source = node.args[0]
        node.target = plain
        for user in list(source.users):
            if passed[user] > passed[node]:
                user.replace_input_with(source, node)
    module.recompile()


def _plain(node: Node) -> Any:
    """The op without an underscore; ``None`` for an op that has none."""
    import torch

    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return None
    packet, _, overload = str(node.target).removeprefix("aten.").partition(".")
    if not packet.endswith("_") or packet.startswith("_") or not node.target._schema.is_mutable:
        return None
    found = getattr(torch.ops.aten, packet.rstrip("_"), None)
    return getattr(found, overload, None)


def _slices(graph: Graph, split: Node) -> None:
    import torch

    axis = split.args[2] if len(split.args) > 2 else split.kwargs.get("dim", 0)
    assert isinstance(axis, int)
    start = 0
    pieces = []
    for part in split.meta["val"]:
        stop = start + part.shape[axis]
        with graph.inserting_before(split):
            piece = graph.call_function(torch.ops.aten.slice.Tensor, (split.args[0], axis, start, stop))
        piece.meta["val"] = part
        pieces.append(piece)
        start = stop
    for user in list(split.users):
        assert user.target is operator.getitem
        user.replace_all_uses_with(pieces[user.args[1]])  # type: ignore[index]
        graph.erase_node(user)
    graph.erase_node(split)
