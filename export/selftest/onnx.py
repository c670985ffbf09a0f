"""Edit the initialisers of an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from export.selftest.protocol import Layer

_AXES = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": -1, "MatMulNBits": 0, "ConvInteger": 0}
_CARRIERS = ("DequantizeLinear", "Cast", "Identity", "Transpose", "Reshape")


class OnnxCorruptor:
    """See ``export.selftest.protocol.Corruptor``. Keys are names of initialisers."""

    def __init__(self, model: Path) -> None:
        import onnx

        self._model = onnx.load(str(model))
        self._stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._makers = {name: node for node in self._model.graph.node for name in node.output}

    def layers(self) -> list[Layer]:
        """Convolutions and matrix products whose weights are initialisers, quantized ones too."""
        found = []
        for node in self._model.graph.node:
            if node.op_type not in _AXES or len(node.input) < 2:
                continue
            weight, scale = self._source(node.input[1])
            if weight is None:
                continue
            if node.op_type == "MatMulNBits":
                scale = node.input[2]
            bias = self._source(node.input[2])[0] if len(node.input) > 2 and scale != node.input[2] else None
            axis = _AXES[node.op_type]
            if node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute):
                axis = 1
            found.append(Layer(node.name or node.output[0], node.op_type, weight, axis, bias, scale))
        return found

    def read(self, key: str) -> NDArray[Any]:
        """An initialiser."""
        from onnx import numpy_helper

        return numpy_helper.to_array(self._stored[key]).copy()

    def write(self, key: str, value: NDArray[Any]) -> None:
        """Replace an initialiser."""
        from onnx import numpy_helper

        self._stored[key].CopyFrom(numpy_helper.from_array(value, key))

    def save(self, path: Path) -> None:
        """Write one ``.onnx``."""
        path.write_bytes(self._model.SerializeToString())

    def _source(self, name: str) -> tuple[str | None, str | None]:
        """The initialiser behind a value, and the scale it is multiplied with on the way."""
        scale = None
        while name not in self._stored:
            maker = self._makers.get(name)
            if maker is None or maker.op_type not in _CARRIERS:
                return None, None
            if maker.op_type == "DequantizeLinear":
                scale = self._source(maker.input[1])[0]
            name = maker.input[0]
        return name, scale
