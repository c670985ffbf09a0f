"""An ONNX graph as plain steps: what reads what, and how many constant numbers each multiplies with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.quantization.tail import Step, float_tail

if TYPE_CHECKING:
    import onnx

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "Gather", "LSTM", "GRU", "RNN"})


def onnx_tail(model: onnx.ModelProto) -> frozenset[str]:
    """Names of the nodes behind the last weights."""
    sizes = {tensor.name: _elements(tensor) for tensor in model.graph.initializer}
    steps = [
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
    return float_tail(steps, (output.name for output in model.graph.output))


def _elements(tensor: onnx.TensorProto) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return count
