"""ONNX: the dynamo exporter on the shared program; fp16 with fp32 doors, int8 as QDQ."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from deploy.contracts.artifact import CalibrationTrial, PrecisionProof, WideOp
from deploy.runtimes.onnx import OnnxRuntime
from export.calibration.calibrator import Watch, as_trials
from export.calibration.choose import Ranges
from export.folding import folded
from export.formats.onnx_clean import rename, strip
from export.formats.onnx_fp16 import to_fp16
from export.formats.onnx_probe import Probe
from export.formats.onnx_proof import prove_onnx
from export.formats.onnx_quantized import PAIRINGS, quantize_activations, quantize_weights
from export.formats.onnx_steps import onnx_doors, onnx_wide
from export.overflow import FP16_MAX
from export.quantization.tail import TAIL_REASON
from export.targets.protocol import Converted, Runner, Stage, Tensors

if TYPE_CHECKING:
    import onnx
    from torch.export import ExportedProgram

    from export.calibration.calibrator import Calibrator
    from export.job import Job

OPSET = 18


@dataclass(frozen=True)
class _Made:
    """A graph at its precision, and what is to be said of it."""

    model: onnx.ModelProto
    deployment: dict[str, str] = field(default_factory=dict)
    wide: tuple[WideOp, ...] = ()
    stages: tuple[Stage, ...] = ()
    trials: tuple[CalibrationTrial, ...] = ()


class OnnxTarget:
    """See ``export.targets.protocol.Target``."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "w8", "w8a8", "auto")
    INT8: ClassVar[str] = "w8a8"
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "onnx", "onnxscript", "onnxruntime", "onnxconverter-common")

    def __init__(
        self,
        job: Job,
        program: ExportedProgram,
        samples: Sequence[Tensors],
        calibrator: Calibrator | None,
    ) -> None:
        self._job, self._program, self._samples, self._calibrator = job, program, samples, calibrator

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
        """Write ``model.onnx``; the fp32 graph is made once and shared by all precisions."""
        made = _Made(self._copy(self._fp32))
        if precision != "fp32":
            made = self._narrow(precision, folder)
        path = folder / "model.onnx"
        path.write_bytes(made.model.SerializeToString(deterministic=True))
        return Converted(
            model_file=path.name,
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._job.preprocess,
            deployment={"opset": str(OPSET), "ir_version": str(made.model.ir_version), **made.deployment},
            wide_ops=made.wide,
            stages=made.stages,
            trials=made.trials,
        )

    def _narrow(self, precision: str, folder: Path) -> _Made:
        """A precision below fp32; the fp32 graph is a stage, so that blame lands on one hop."""
        if precision == "fp16":
            stages = (Stage("fp32 ONNX graph", self._runner(self._fp32, folder), "fp32"),)
            wide = self._overflowing(self._fp32)
            model = to_fp16(self._copy(self._fp32), [op.name for op in wide])
            return _Made(model, wide=wide, stages=stages)
        float_graph = self._runner(self._folded, folder)
        if precision == "w8":
            stages = (Stage("fp32 ONNX graph", float_graph, "fp32"),)
            return _Made(quantize_weights(self._folded), stages=stages)
        stages = (Stage("fp32 ONNX graph, readied for 8 bits", float_graph),)
        mixed = self._job.mix.wide if self._job.mix and precision == "auto" else ()
        tail = onnx_wide(self._folded, ())
        widened = onnx_wide(self._folded, {op.name for op in mixed})
        assert self._calibrator is not None
        probe = Probe(self._folded, self._job.threads)

        def build(ranges: Ranges) -> Runner:
            return self._runner(self._quantized(ranges, widened), folder)

        def observe(sample: Tensors, watch: Watch) -> None:
            for name, value in (*sample.items(), *probe.values(sample)):
                watch(name, np.asarray(value, np.float32))

        chosen = self._calibrator.calibrate(observe, build, onnx_doors(self._folded))
        wide = (*mixed, *(WideOp(name=name, reason=TAIL_REASON) for name in sorted(tail)))
        pairing = f"{PAIRINGS[self._job.onnx_pairing]} ({self._job.onnx_pairing})"
        return _Made(
            self._quantized(chosen.ranges, widened), {"pairing": pairing}, wide, stages, as_trials(chosen)
        )

    def _quantized(self, ranges: Ranges, wide: Collection[str]) -> onnx.ModelProto:
        return quantize_activations(self._folded, ranges, wide, self._job.onnx_pairing)

    def prove(self, model: Path) -> PrecisionProof:
        """Count initialiser bytes and node dtypes of the written file."""
        return prove_onnx(model)

    def _runner(self, model: onnx.ModelProto, folder: Path) -> Runner:
        """Runs a graph that is no artifact yet."""
        path = folder.parent / f"{folder.name}-stage.onnx"
        path.write_bytes(model.SerializeToString())
        return OnnxRuntime(path, self._job.inputs, self._job.outputs, self._job.threads).run

    @cached_property
    def _fp32(self) -> onnx.ModelProto:
        return self._graph(self._program)

    @cached_property
    def _folded(self) -> onnx.ModelProto:
        """The graph without norms behind convolutions, whose weights are what is run and so quantized."""
        return self._graph(folded(self._program))

    def _copy(self, model: onnx.ModelProto) -> onnx.ModelProto:
        copy = type(model)()
        copy.CopyFrom(model)
        return copy

    def _graph(self, program: ExportedProgram) -> onnx.ModelProto:
        """An fp32 graph with this project's input and output names and nothing that names this machine."""
        import torch

        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(
                program, (), dynamo=True, opset_version=OPSET, verbose=False, optimize=True
            )
        if exported is None:
            raise RuntimeError("torch.onnx.export returned no program")
        model = exported.model_proto
        strip(model)
        rename(model, [spec.name for spec in self._job.inputs], [spec.name for spec in self._job.outputs])
        return model

    def _overflowing(self, model: onnx.ModelProto) -> tuple[WideOp, ...]:
        """Run the fp32 graph with every value shown; nodes that make or read one beyond fp16 stay fp32."""
        import onnx

        probe = Probe(model, self._job.threads)
        largest: dict[str, float] = {}
        for sample in self._samples:
            for name, value in probe.values(sample):
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
