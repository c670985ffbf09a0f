"""Eight bits in a torch graph: quantize and dequantize ops around what ``executorch_plan`` chose.

The ops are torch's own (``quantized_decomposed``), the ones that PT2E's converter leaves behind and that both
XNNPACK's partitioner and coremltools recognise. They are put in directly and not through PT2E, because its
annotators give the concats of a detector's tail a shared scale whatever filter is set, observe ranges with
observers of their own, and take 8 s for a YOLO where this takes 0.1 s, once for every way of calibrating.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from export.calibration.choose import Ranges
from export.formats.executorch_plan import GATE_RANGE, Plan

if TYPE_CHECKING:
    import torch
    from torch.fx import Graph, GraphModule, Node

LOW, HIGH = -128, 127
"""Activations are int8 with a zero point; weights are symmetric, -127..127, per output channel."""

_LEAST_SCALE = 2.0**-14
"""XNNPACK refuses to add values whose scales are further apart than 2**10."""

_LEAST_WEIGHT_SCALE = 2.0**-16
"""A bias is int32 in steps of both scales; under a dead channel's scale of 0 it would overflow."""


def scale_of(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of int8 activations that have to cover ``low`` to ``high`` (and 0)."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / (HIGH - LOW), _LEAST_SCALE)
    return scale, max(LOW, min(HIGH, LOW - round(low / scale)))


def quantize_weight(weight: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 values of the same shape and float32 (channels,) scales: the largest of a channel becomes 127."""
    import torch

    others = [number for number in range(weight.dim()) if number != axis]
    largest = weight.detach().abs().amax(dim=others)
    scales = (largest / 127).clamp(min=_LEAST_WEIGHT_SCALE).float()
    shape = [-1 if number == axis else 1 for number in range(weight.dim())]
    values = torch.round(weight.detach() / scales.reshape(shape)).clamp(-127, 127).to(torch.int8)
    return values, scales


def static_scales(plan: Plan, ranges: Ranges) -> dict[str, tuple[float, int]]:
    """Scale and zero point of every group: its members' ranges together."""
    spans: dict[str, tuple[float, float]] = {}
    for name, group in plan.groups.items():
        low, high = ranges[name]
        lowest, highest = spans.get(group, (0.0, 0.0))
        spans[group] = (min(low, lowest), max(high, highest))
    spans.update(dict.fromkeys(plan.gates, GATE_RANGE))
    return {group: scale_of(*span) for group, span in spans.items()}


def quantized(module: GraphModule, plan: Plan, ranges: Ranges) -> GraphModule:
    """The graph in 8 bits as the partitioners read it; weights without activations where no ranges are given.

    Args:
        module: the fp32 graph that was planned; left as it is.
        ranges: lowest and highest value of every value in ``plan.groups``.
    """
    import torch

    decomposed = _decomposed()
    done, nodes = _copy(module)
    graph = done.graph
    for name, group_scale in _by_value(plan, static_scales(plan, ranges)):
        arguments = (*group_scale, LOW, HIGH, torch.int8)
        node = nodes[name]
        readers = _readers(node, name, plan)
        with graph.inserting_after(node):
            narrow = graph.call_function(decomposed.quantize_per_tensor.default, (node, *arguments))
        for reader in readers:
            with graph.inserting_before(reader):
                wide = graph.call_function(decomposed.dequantize_per_tensor.default, (narrow, *arguments))
            reader.replace_input_with(node, wide)
    _narrow_weights(done, nodes, plan)
    return _finished(done)


def quantized_dynamically(module: GraphModule, plan: Plan) -> GraphModule:
    """8-bit weights, and the inputs of the products quantized with the range they have at that call."""
    import torch

    decomposed = _decomposed()
    done, nodes = _copy(module)
    graph = done.graph
    for name in plan.products:
        product = nodes[name]
        source = product.args[0]
        with graph.inserting_before(product):
            chosen = graph.call_function(
                decomposed.choose_qparams.tensor, (source, LOW, HIGH, _LEAST_SCALE, torch.int8)
            )
            scale, zero = (graph.call_function(_getitem(), (chosen, index)) for index in (0, 1))
            arguments = (scale, zero, LOW, HIGH, torch.int8)
            narrow = graph.call_function(decomposed.quantize_per_tensor.tensor, (source, *arguments))
            wide = graph.call_function(decomposed.dequantize_per_tensor.tensor, (narrow, *arguments))
        product.update_arg(0, wide)
    _narrow_weights(done, nodes, plan)
    return _finished(done)


def simulated(module: GraphModule, plan: Plan, ranges: Ranges) -> GraphModule:
    """The same numbers as ``quantized`` in one op each: quick enough to try several ranges on a hold-out."""
    import torch

    done, nodes = _copy(module)
    for name, (scale, zero) in _by_value(plan, static_scales(plan, ranges)):
        node = nodes[name]
        readers = _readers(node, name, plan)
        with done.graph.inserting_after(node):
            rounded = done.graph.call_function(
                torch.ops.aten.fake_quantize_per_tensor_affine.default, (node, scale, zero, LOW, HIGH)
            )
        for reader in readers:
            reader.replace_input_with(node, rounded)
    for name, axis in plan.products.items():
        source: Any = nodes[name].args[1]
        values, scales = quantize_weight(tensor_of(done, source), axis)
        shape = [-1 if number == axis else 1 for number in range(values.dim())]
        done.register_buffer(f"{name}_rounded", values * scales.reshape(shape))
        with done.graph.inserting_before(nodes[name]):
            nodes[name].update_arg(1, done.graph.get_attr(f"{name}_rounded"))
    return _finished(done)


def _copy(module: GraphModule) -> tuple[GraphModule, dict[str, Node]]:
    """A graph of its own over the same tensors, without the input checks that export put in front."""
    import torch

    graph: Graph = copy.deepcopy(module.graph)
    for node in list(graph.nodes):
        if node.op == "call_module" and not node.users:
            graph.erase_node(node)
    done = torch.fx.GraphModule(module, graph)
    return done, {node.name: node for node in graph.nodes}


def _by_value(plan: Plan, scales: dict[str, tuple[float, int]]) -> Iterable[tuple[str, tuple[float, int]]]:
    return ((name, scales[group]) for name, group in plan.groups.items())


def _readers(node: Node, name: str, plan: Plan) -> list[Node]:
    """Who reads the 8 bits: everybody where nothing else was made, else the ops that compute on them."""
    return [user for user in node.users if name in plan.made or user.name in plan.ops]


def _narrow_weights(module: GraphModule, nodes: dict[str, Node], plan: Plan) -> None:
    import torch

    for name, axis in plan.products.items():
        source: Any = nodes[name].args[1]
        values, scales = quantize_weight(tensor_of(module, source), axis)
        parts = {
            f"{name}_int8": values,
            f"{name}_scales": scales,
            f"{name}_zeros": torch.zeros(len(scales), dtype=torch.int64),
        }
        for key, tensor in parts.items():
            module.register_buffer(key, tensor)
        with module.graph.inserting_before(nodes[name]):
            attributes = [module.graph.get_attr(key) for key in parts]
            wide = module.graph.call_function(
                _decomposed().dequantize_per_channel.default, (*attributes, axis, -127, 127, torch.int8)
            )
        nodes[name].update_arg(1, wide)


def _finished(module: GraphModule) -> GraphModule:
    """Without the fp32 weights that were replaced: a capture would store whatever tensor is left."""
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    read = {node.target for node in module.graph.nodes if node.op == "get_attr"}
    for name in {**module._parameters, **module._buffers}.keys() - read:
        delattr(module, name)
    module.graph.lint()
    module.recompile()
    return module


def tensor_of(module: GraphModule, node: Node) -> torch.Tensor:
    """The constant behind a ``get_attr`` node."""
    owner, _, leaf = str(node.target).rpartition(".")
    found: torch.Tensor = getattr(module.get_submodule(owner), leaf)
    return found


def _decomposed() -> Any:
    """The op library; importing the module registers it."""
    import torch
    import torch.ao.quantization.fx._decomposed

    return torch.ops.quantized_decomposed


def _getitem() -> Any:
    import operator

    return operator.getitem
