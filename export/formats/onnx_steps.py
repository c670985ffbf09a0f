"""An ONNX graph as plain steps: what reads what, and how many constant numbers each multiplies with."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from export.quantization.tail import Step, float_tail, tail_doors
from export.quantization.units import widened

if TYPE_CHECKING:
    import onnx

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "Gather", "LSTM", "GRU", "RNN"})


def onnx_wide(model: onnx.ModelProto, layers: Collection[str]) -> frozenset[str]:
    """Names of the nodes behind the last weights, and of those of the given layers.

    Args:
        layers: names in the captured program, which the exporter gives to the values they make.
    """
    steps = onnx_steps(model)
    tail = float_tail(steps, (output.name for output in model.graph.output))
    made = {step.name: step.makes[0] for step in steps}
    return tail | widened(steps, tail, layers, made.__getitem__)


def onnx_doors(model: onnx.ModelProto) -> frozenset[str]:
    """The values that leave the trunk, whose ranges are never clipped."""
    steps = onnx_steps(model)
    outputs = [output.name for output in model.graph.output]
    return tail_doors(steps, float_tail(steps, outputs), outputs)


def onnx_steps(model: onnx.ModelProto) -> list[Step]:
    """The nodes in the order they run."""
    sizes = {tensor.name: _elements(tensor) for tensor in model.graph.initializer}
    return [
        Step(
            name=node.name,
            reads=tuple(node.input),
            makes=tuple(node.output),
            weights=max((sizes.get(name, 0) for name in node.input), default=0)
            if node.op_type in _WEIGHTED
            else 0,
        )
        for node in model.graph.node
    ]


def _elements(tensor: onnx.TensorProto) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return count
