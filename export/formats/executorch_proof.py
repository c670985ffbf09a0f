"""What is really inside a ``.pte``: stored weight bytes and ops by dtype, read out of its delegates too."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from deploy.contracts.artifact import PrecisionProof
from export.formats.coreml_proof import prove_coreml

_XNN = {
    "xnn_datatype_fp32": ("float32", 4.0),
    "xnn_datatype_fp16": ("float16", 2.0),
    "xnn_datatype_qint8": ("int8", 1.0),
    "xnn_datatype_quint8": ("uint8", 1.0),
    "xnn_datatype_qint32": ("int32", 4.0),
    "xnn_datatype_qcint8": ("int8", 1.0),
    "xnn_datatype_qdint8": ("int8", 1.0),
    "xnn_datatype_qpint8": ("int8", 1.0),
    "xnn_datatype_qcint32": ("int32", 4.0),
    "xnn_datatype_qcint4": ("int4", 0.5),
    "xnn_datatype_qbint4": ("int4", 0.5),
}
_DYNAMIC = ("xnn_datatype_qdint8", "xnn_datatype_qpint8")
"""Activations quantized at every call: what reads them multiplies int8 with int8 and gives float."""

_SCALARS = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
}
_NOT_JSON = re.compile(r"(:\s*)[-+]?(?:inf|nan)\b")  # flatc writes open activation bounds so
_PLUMBING = ("XNNStaticTranspose", "XNNStaticReshape", "XNNConvert", "XNNStaticSlice")


def prove_executorch(path: Path) -> PrecisionProof:
    """Count weight bytes and ops by dtype; raises ``ValueError`` for a delegate that cannot be read."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    program = deserialize_pte_binary(path.read_bytes()).program
    weights: Counter[str] = Counter()
    ops: Counter[str] = Counter()
    plan = program.execution_plan[0]
    for delegate in plan.delegates:
        blob = program.backend_delegate_data[delegate.processed.index].data
        if delegate.id == "XnnpackBackend":
            _count_xnnpack(bytes(blob), weights, ops)
        elif delegate.id == "CoreMLBackend":
            inner = _prove_delegated_package(bytes(blob))
            weights.update(inner.weight_bytes)
            ops.update(inner.ops)
        else:
            raise ValueError(f"no reader for the {delegate.id} delegate")
    delegated = sum(ops.values())
    outside = [
        plan.operators[call.instr_args.op_index].name
        for chain in plan.chains
        for call in chain.instructions
        if type(call.instr_args).__name__ == "KernelCall"
    ]
    _count_constants(program, plan, weights)
    return PrecisionProof(
        weight_bytes=dict(sorted(weights.items())),
        ops=dict(sorted(ops.items())),
        delegated_ops=delegated,
        total_ops=delegated + len(outside),
        partitions=len(plan.delegates),
        note=f"outside the delegate: {_tally(outside)}" if outside else None,
    )


def _tally(names: list[str]) -> str:
    return ", ".join(f"{count} {name.removeprefix('aten::')}" for name, count in Counter(names).most_common())


def _count_constants(program: Any, plan: Any, weights: Counter[str]) -> None:
    """Constants that stayed outside the delegates."""
    for value in plan.values:
        tensor = value.val
        if type(tensor).__name__ == "Tensor" and getattr(tensor, "data_buffer_idx", 0) > 0:
            index = tensor.data_buffer_idx
            if index < len(program.constant_buffer):
                size = len(program.constant_buffer[index].storage)
                weights[_SCALARS.get(int(tensor.scalar_type), "other")] += size


def xnnpack_graph(blob: bytes) -> dict[str, Any]:
    """The graph inside an XNNPACK delegate's payload, with the keys of its ``schema.fbs``."""
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader

    header = XNNHeader.from_bytes(blob[: XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    return _flatbuffer_to_json(blob[start : start + header.flatbuffer_size])


def _count_xnnpack(blob: bytes, weights: Counter[str], ops: Counter[str]) -> None:
    graph = xnnpack_graph(blob)
    dtypes: dict[int, str] = {}
    dynamic: set[int] = set()
    for entry in graph["xvalues"]:
        value = entry["xvalue_union"]
        tensor = value.get("tensor_value", value)
        dtype, width = _XNN[tensor.get("datatype", "xnn_datatype_fp32")]
        dtypes[tensor["id_out"]] = dtype
        if tensor.get("datatype") in _DYNAMIC:
            dynamic.add(tensor["id_out"])
        if tensor.get("constant_buffer_idx", 0) > 0:
            count = 1
            for size in tensor.get("dims", []):
                count *= size
            weights[dtype] += int(count * width)
    for node in graph["xnodes"]:
        if node["xnode_union_type"] not in _PLUMBING:
            union = node["xnode_union"]
            source, output = union.get("input1_id"), union.get("output_id", union.get("output1_id"))
            ops[dtypes.get(source if source in dynamic else output, "unknown")] += 1


def _flatbuffer_to_json(payload: bytes) -> dict[str, Any]:
    """Decode XNNPACK's graph with the schema and ``flatc`` that ship with ExecuTorch."""
    import executorch
    from executorch.exir._serialize._flatbuffer import _get_flatc_path

    root = Path(executorch.__path__[0])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "graph.bin"
        data.write_bytes(payload)
        schema = root / "backends" / "xnnpack" / "serialization" / "schema.fbs"
        command = [_get_flatc_path(), "--json", "--strict-json", "--defaults-json", "--raw-binary"]
        command += ["-o", folder, str(schema), "--", str(data)]
        subprocess.run(command, check=True, capture_output=True)
        text = _NOT_JSON.sub(r"\1null", (Path(folder) / "graph.json").read_text())
        decoded: dict[str, Any] = json.loads(text)
        return decoded


def _prove_delegated_package(blob: bytes) -> PrecisionProof:
    """Unpack the ``.mlpackage`` inside a Core ML delegate and count that."""
    from executorch.backends.apple.coreml import executorchcoreml

    with tempfile.TemporaryDirectory() as folder:
        executorchcoreml.unflatten_directory_contents(blob, folder)
        package = next(Path(folder).rglob("*.mlpackage"))
        return prove_coreml(package)
