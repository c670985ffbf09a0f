"""ONNX: the dynamo exporter on the shared program; fp16 by onnxconverter-common with fp32 doors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from deploy.contracts.artifact import PrecisionProof, WideOp
from deploy.runtimes.onnx import OnnxRuntime
from export.formats.onnx_proof import prove_onnx
from export.overflow import FP16_MAX
from export.targets.protocol import Converted, Stage, Tensors

if TYPE_CHECKING:
    import onnx
    from torch.export import ExportedProgram

    from export.job import Job

OPSET = 18
_FP16_SMALLEST = 2.0**-24


class OnnxTarget:
    """See ``export.targets.protocol.Target``."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16")
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "onnx", "onnxscript", "onnxruntime", "onnxconverter-common")

    def __init__(self, job: Job, program: ExportedProgram, samples: Sequence[Tensors]) -> None:
        self._job, self._program, self._samples = job, program, samples
        self._fp32: onnx.ModelProto | None = None

    @staticmethod
    def warm_up() -> None:
        """Import the exporter and the runtime."""
        import onnx
        import onnxconverter_common.float16
        import onnxruntime
        import onnxscript
        import torch.onnx

        del onnx, onnxconverter_common, onnxruntime, onnxscript, torch

    def convert(self, precision: str, folder: Path) -> Converted:
        """Write ``model.onnx``; the fp32 graph is made once and shared by both precisions."""
        model = self._graph()
        path = folder / "model.onnx"
        wide: tuple[WideOp, ...] = ()
        stages: tuple[Stage, ...] = ()
        if precision == "fp16":
            fp32_path = folder.parent / "onnx-fp32-stage.onnx"
            fp32_path.write_bytes(model.SerializeToString(deterministic=True))
            stages = (Stage("fp32 ONNX graph", self._runtime(fp32_path).run),)
            wide = self._overflowing(model)
            model = _to_fp16(model, [op.name for op in wide])
        path.write_bytes(model.SerializeToString(deterministic=True))
        return Converted(
            model_file=path.name,
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._job.preprocess,
            deployment={"opset": str(OPSET), "ir_version": str(model.ir_version)},
            wide_ops=wide,
            stages=stages,
        )

    def prove(self, model: Path) -> PrecisionProof:
        """Count initialiser bytes and node dtypes of the written file."""
        return prove_onnx(model)

    def _runtime(self, path: Path) -> OnnxRuntime:
        return OnnxRuntime(path, self._job.inputs, self._job.outputs, self._job.threads)

    def _graph(self) -> onnx.ModelProto:
        """The fp32 model with this project's input and output names and nothing that names this machine."""
        if self._fp32 is None:
            import torch

            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exported = torch.onnx.export(
                    self._program, (), dynamo=True, opset_version=OPSET, verbose=False, optimize=True
                )
            if exported is None:
                raise RuntimeError("torch.onnx.export returned no program")
            model = exported.model_proto
            _strip(model)
            _rename(
                model, [spec.name for spec in self._job.inputs], [spec.name for spec in self._job.outputs]
            )
            self._fp32 = model
        copy = type(self._fp32)()
        copy.CopyFrom(self._fp32)
        return copy

    def _overflowing(self, model: onnx.ModelProto) -> tuple[WideOp, ...]:
        """Run the fp32 graph with every value shown; nodes that make or read one beyond fp16 stay fp32."""
        import numpy as np
        import onnx
        import onnxruntime as ort

        probe = type(model)()
        probe.CopyFrom(model)
        shown = {output.name for output in probe.graph.output}
        inferred = onnx.shape_inference.infer_shapes(probe)
        floats = [
            v for v in inferred.graph.value_info if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        ]
        probe.graph.output.extend(v for v in floats if v.name not in shown)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = self._job.threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        largest: dict[str, float] = {}
        for sample in self._samples:
            for name, value in zip(names, session.run(names, dict(sample)), strict=True):
                if value.size:
                    largest[name] = max(largest.get(name, 0.0), float(np.abs(value).max()))
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and 0 not in tensor.dims:
                largest[tensor.name] = float(np.abs(onnx.numpy_helper.to_array(tensor)).max())
        over = {name: value for name, value in largest.items() if value > FP16_MAX}
        wide = []
        for node in model.graph.node:
            made = [name for name in node.output if name in over]
            read = [name for name in node.input if name in over]
            if made:
                reason = f"its output reaches {over[made[0]]:.4g}; fp16 ends at {FP16_MAX:.0f}"
                wide.append(WideOp(name=node.name, reason=reason))
            elif read:
                reason = f"reads {read[0]}, which leaves the range of fp16"
                wide.append(WideOp(name=node.name, reason=reason))
        return tuple(wide)


def _to_fp16(model: onnx.ModelProto, blocked: list[str]) -> onnx.ModelProto:
    from onnxconverter_common import float16

    _part_outputs(model)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float16.convert_float_to_float16(  # type: ignore[no-any-return]
            model,
            min_positive_val=_FP16_SMALLEST,
            max_finite_val=FP16_MAX,  # its default clips every constant above 10000 to 10000
            keep_io_types=True,
            node_block_list=blocked,
            disable_shape_infer=False,
        )


def _part_outputs(model: onnx.ModelProto) -> None:
    """Give outputs that are also read inside an inner twin: the converter casts them for both otherwise."""
    from onnx import helper

    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    for output in graph.output:
        if output.name not in read:
            continue
        inner = f"{output.name}_read"
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    names[index] = inner if name == output.name else name
        graph.node.append(helper.make_node("Identity", [inner], [output.name], name=f"{inner}_out"))


def _strip(model: onnx.ModelProto) -> None:
    """Drop stack traces and other notes that would carry paths and change from run to run."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph: Any = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for holder in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        holder.doc_string = ""
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]


def _rename(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> None:
    """Give the graph's doors our names, everywhere they are mentioned."""
    graph = model.graph
    mapping = {value.name: name for value, name in zip(graph.input, inputs, strict=True)}
    mapping |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    doors = set(mapping.values())
    inner = [*(tensor.name for tensor in graph.initializer), *(n for node in graph.node for n in node.output)]
    mapping |= {name: f"{name}_inner" for name in inner if name in doors and name not in mapping}
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = mapping.get(value.name, value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = mapping.get(name, name)
