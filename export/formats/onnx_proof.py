"""What is really inside an ONNX file: initialiser bytes and compute ops by dtype."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from deploy.contracts.artifact import PrecisionProof

_PLUMBING = frozenset(
    {"Constant", "Cast", "Shape", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose"}
)


def prove_onnx(path: Path) -> PrecisionProof:
    """Count stored weight bytes and computing nodes by dtype (a node's dtype is its first output's)."""
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
    ops: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in _PLUMBING:
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
