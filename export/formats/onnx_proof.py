"""What is really inside an ONNX file: initialiser bytes and compute ops by dtype."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.contracts.artifact import PrecisionProof

if TYPE_CHECKING:
    import onnx

_PLUMBING = frozenset(
    {
        "Constant",
        "Cast",
        "Shape",
        "Identity",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "QuantizeLinear",
        "DequantizeLinear",
    }
)


def prove_onnx(path: Path) -> PrecisionProof:
    """Count stored weight bytes and computing nodes by dtype.

    A node's dtype is its first output's; one that stands between DequantizeLinear and QuantizeLinear computes
    in the quantized dtype, for that is what runtimes fuse the three into.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(path))
    weights: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        count = 1
        for size in tensor.dims:
            count *= size
        weights[str(dtype)] += count * dtype.itemsize
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    }
    quantized = _quantized_outputs(model)
    ops: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in _PLUMBING:
            continue
        if node.output[0] in quantized:
            ops[quantized[node.output[0]]] += 1
            continue
        kind = known.get(node.output[0], TensorProto.UNDEFINED)
        ops["unknown" if kind == TensorProto.UNDEFINED else str(helper.tensor_dtype_to_np_dtype(kind))] += 1
    casts = sum(node.op_type == "Cast" for node in model.graph.node)
    return PrecisionProof(
        weight_bytes=dict(sorted(weights.items())),
        ops=dict(sorted(ops.items())),
        total_ops=len(model.graph.node),
        note=f"{casts} Cast nodes" if casts else None,
    )


def _quantized_outputs(model: onnx.ModelProto) -> dict[str, str]:
    """Outputs that only go into QuantizeLinear, of nodes that read dequantized values, with their dtypes."""
    from onnx import helper

    dtypes = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    dequantized: set[str] = set()
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
        if node.op_type == "DequantizeLinear":
            dequantized.update(node.output)
    found = {}
    for node in model.graph.node:
        readers_of = readers.get(node.output[0], []) if node.output else []
        if not readers_of or not node.input or node.input[0] not in dequantized:
            continue
        if all(reader.op_type == "QuantizeLinear" for reader in readers_of):
            kind = dtypes.get(readers_of[0].input[2], 0) if len(readers_of[0].input) > 2 else 0
            found[node.output[0]] = str(helper.tensor_dtype_to_np_dtype(kind)) if kind else "uint8"
    return found
