"""Doors of an ONNX file: graph inputs without an initialiser, and graph outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.tensor import TensorSpec
from export.foreign.protocol import Found
from export.formats.onnx_proof import prove_onnx


class ForeignOnnx:
    """See ``export.foreign.protocol.ForeignFormat``."""

    target: ClassVar[str] = "onnx"

    @staticmethod
    def doors(model: Path) -> Found:
        """Inputs and outputs of the main graph; its opset as deployment."""
        import onnx

        proto = onnx.load(str(model), load_external_data=False)
        stored = {tensor.name for tensor in proto.graph.initializer}
        opset = next((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), 0)
        return Found(
            tuple(_spec(value) for value in proto.graph.input if value.name not in stored),
            tuple(_spec(value) for value in proto.graph.output),
            deployment={"opset": str(opset), "ir_version": str(proto.ir_version)},
        )

    @staticmethod
    def prove(model: Path) -> PrecisionProof:
        """Count initialiser bytes and node dtypes."""
        return prove_onnx(model)


def _spec(value: Any) -> TensorSpec:
    from onnx import helper

    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
    dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return TensorSpec(name=value.name, shape=shape, dtype=dtype)  # type: ignore[arg-type]
