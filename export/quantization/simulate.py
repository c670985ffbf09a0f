"""Run the program in torch as if some of its layers were in 8 bits, without converting anything.

Values are rounded to the steps of their 8-bit ranges where a narrow layer reads or makes them, weights per
output channel. What a layer costs can so be measured in milliseconds; runs share every value that comes
before the first layer that differs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg

from export.calibration.choose import Ranges
from export.quantization.fx_steps import constant_weights, fx_steps
from export.quantization.tail import float_tail, tail_doors
from export.quantization.units import Unit, units_of

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_MOVES = (
    "view",
    "reshape",
    "permute",
    "transpose",
    "slice",
    "split",
    "split_with_sizes",
    "chunk",
    "squeeze",
    "unsqueeze",
    "flatten",
    "expand",
    "contiguous",
    "clone",
    "max_pool2d",
    "upsample_nearest2d",
    "pad",
    "constant_pad_nd",
    "dropout",
)
"""Ops that move values without making new ones: they are on their input's 8-bit steps already."""

_CLAMPS = ("relu", "relu6", "hardtanh", "clamp")
"""Run inside the op before them, whose own result no format then rounds."""


class Simulator:
    """One folded program. Not for use by several threads.

    Args:
        program: captured, norms folded.
        ranges: lowest and highest value of every float node, by name; may be set later, and without any
            only weights are rounded.
        shifts: what is added to a layer's bias while it is in 8 bits, see ``export.quantization.bias``.
    """

    def __init__(
        self,
        program: ExportedProgram,
        ranges: Ranges | None = None,
        shifts: Mapping[str, Tensor] | None = None,
    ) -> None:
        module: Any = program.module()
        self._module = module
        self.nodes = [node for node in module.graph.nodes if node.op != "call_module"]
        self._last = _last_readers(self.nodes)
        self.ranges: Ranges = ranges or {}
        self.shifts: Mapping[str, Tensor] = shifts or {}
        steps = fx_steps(module.graph)
        outputs = [each.name for each in module.graph.output_node().all_input_nodes]
        self.tail = float_tail(steps, outputs)
        self.doors = tail_doors(steps, self.tail, outputs)
        self.weights = constant_weights(module.graph)
        self.units: tuple[Unit, ...] = units_of(steps, self.tail)
        self._rounded: dict[str, Tensor] = {}
        self._owner = {name: unit.name for unit in self.units for name in unit.steps}

    def constants(self) -> dict[str, Tensor]:
        """Weights by ``get_attr`` node name, the module's own tensors."""
        return {node.name: self.constant(node) for node in self.nodes if node.op == "get_attr"}

    def run(
        self,
        inputs: Mapping[str, Tensor],
        narrow: Collection[str] = (),
        *,
        known: Mapping[str, Any] | None = None,
        keep: bool = False,
        weights: Mapping[str, Tensor] | None = None,
    ) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        """One forward pass.

        Args:
            inputs: by name, in the program's own order.
            narrow: names of the units in 8 bits.
            known: values of an all-float run on the same inputs, taken where no narrow unit comes before.
            keep: return every value (of an all-float run, to be ``known`` later).
            weights: instead of the constants of that name, for training; rounded anew, with gradients.

        Returns:
            The outputs, and the values where ``keep``.
        """
        narrow = frozenset(narrow)
        values: dict[str, Any] = {}
        dirty: set[str] = set()
        feed = iter(inputs.values())
        for place, node in enumerate(self.nodes):
            if node.op == "output":
                outputs = map_arg(node.args[0], lambda each: _value(values, known, each))
                flat = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
                return tuple(flat), values
            if node.op == "placeholder":
                values[node.name] = next(feed)
            elif node.op == "get_attr":
                values[node.name] = (weights or {}).get(node.name, self.constant(node))
            elif known is not None and self._clean(node, narrow, dirty):
                continue
            else:
                dirty.add(node.name)
                values[node.name] = self._call(node, values, known, narrow, weights is not None)
            if not keep:
                for name in self._last[place]:
                    values.pop(name, None)
        raise AssertionError("a graph ends in its output")

    def node(self, name: str) -> Node:
        """A node by name."""
        found: Node = next(node for node in self.nodes if node.name == name)
        return found

    def rounded(self, layer: Node) -> Tensor:
        """A layer's weights in 8 bits; the layer reads them second."""
        source: Any = layer.args[1]
        return self._round_weight(layer, source, self.constant(source), training=False)

    def constant(self, node: Any) -> Tensor:
        """The module's own tensor behind a ``get_attr`` node."""
        owner, _, leaf = str(node.target).rpartition(".")
        found: Tensor = getattr(self._module.get_submodule(owner), leaf).detach()
        return found

    def _clean(self, node: Node, narrow: frozenset[str], dirty: set[str]) -> bool:
        """Whether a node's value is the all-float run's."""
        return self._owner.get(node.name) not in narrow and not any(
            each.name in dirty for each in node.all_input_nodes
        )

    def _call(
        self,
        node: Node,
        values: Mapping[str, Any],
        known: Mapping[str, Any] | None,
        narrow: frozenset[str],
        training: bool,
    ) -> Any:
        in_8_bits = self._owner.get(node.name) in narrow

        def read(each: Node) -> Any:
            value = _value(values, known, each)
            if not in_8_bits or not isinstance(value, Tensor) or not value.is_floating_point():
                return value
            if each.op == "get_attr":
                return self._round_weight(node, each, value, training)
            return self._round(each, value)

        args: Any = map_arg(node.args, read)
        kwargs: Any = map_arg(node.kwargs, read)
        if in_8_bits and node.name in self.shifts:
            bias = args[2] if len(args) > 2 and args[2] is not None else 0
            args = (*args[:2], self.shifts[node.name] + bias, *args[3:])
        if _changes_its_input(node):
            args = (args[0].clone(), *args[1:])  # it may be another run's value
        result = node.target(*args, **kwargs)  # type: ignore[operator]
        whole = isinstance(result, Tensor) and result.is_floating_point()
        if in_8_bits and whole and _kind(node) not in _MOVES:
            return self._round(node, result)
        return result

    def _round(self, node: Node, value: Tensor) -> Tensor:
        """To the 255 steps of the value's range, zero among them."""
        if node.name not in self.ranges or _clamped(node):
            return value
        low, high = self.ranges[node.name]
        scale = max(high - low, 1e-12) / 255
        return torch.fake_quantize_per_tensor_affine(value, scale, round(-low / scale) - 128, -128, 127)

    def _round_weight(self, reader: Node, constant: Node, value: Tensor, training: bool) -> Tensor:
        """Symmetric, per output channel; biases have 32 bits and stay."""
        if value.dim() < 2 or self.weights.get(reader.name, 0) < value.numel():
            return value
        if not training and constant.name in self._rounded:
            return self._rounded[constant.name]
        axis = 1 if "conv_transpose" in str(reader.target) else 0
        others = [number for number in range(value.dim()) if number != axis]
        scales = value.detach().abs().amax(others).clamp_min(1e-12) / 127
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(value, scales, zeros, axis, -127, 127)
        if not training:
            self._rounded[constant.name] = rounded
        return rounded


def _value(values: Mapping[str, Any], known: Mapping[str, Any] | None, node: Node) -> Any:
    return values[node.name] if node.name in values or known is None else known[node.name]


def _changes_its_input(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _clamped(node: Node) -> bool:
    """Whether a node's own result is never there: what reads it alone is a clamp that runs inside it."""
    readers = [each for each in node.users if each.op == "call_function"]
    clamp = len(readers) == 1 and _kind(readers[0]) in _CLAMPS
    return clamp and node.op == "call_function" and _kind(node) not in (*_CLAMPS, *_MOVES)


def _kind(node: Node) -> str:
    return str(node.target).removeprefix("aten.").split(".")[0].rstrip("_")


def _last_readers(nodes: list[Node]) -> list[list[str]]:
    """For every node, the values that nobody reads after it."""
    last: dict[str, int] = {}
    for place, node in enumerate(nodes):
        last |= dict.fromkeys((each.name for each in node.all_input_nodes), place)
    found: list[list[str]] = [[] for _ in nodes]
    for name, place in last.items():
        found[place].append(name)
    return found
