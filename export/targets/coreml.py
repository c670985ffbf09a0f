"""Core ML: an ML Program by coremltools from the shared program, with tensor or image input."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import CalibrationTrial, PrecisionProof, WideOp
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from deploy.vision.preprocess import pixels_of
from export.calibration.calibrator import Watch, as_trials
from export.formats.coreml_package import make_reproducible, read_spec
from export.formats.coreml_patches import apply_patches
from export.formats.coreml_proof import prove_coreml
from export.formats.coreml_quantized import demand_system, quantize_activations, quantize_weights
from export.formats.coreml_steps import coreml_doors, coreml_wide
from export.formats.coreml_systems import deployment_target
from export.formats.coreml_wide import WideOps
from export.nms import demand_no_nms
from export.overflow import overflowing, wide_nodes
from export.precisions import PRECISIONS
from export.quantization.tail import TAIL_REASON
from export.targets.protocol import Converted, Runner, Stage, Tensors

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

    from export.calibration.calibrator import Calibrator
    from export.job import Job
    from export.mil.program import MilProgram


@dataclass(frozen=True)
class _Made:
    """A package in memory, and what is to be said of it. ``rule``: which ops had to stay fp32."""

    model: Any
    rule: WideOps
    wide: tuple[WideOp, ...] = ()
    deployment: dict[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    trials: tuple[CalibrationTrial, ...] = ()


class CoreMLTarget:
    """See ``export.targets.protocol.Target``."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "w8", "w6", "w4", "w8a8", "auto")
    INT8: ClassVar[str] = "w8a8"
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "coremltools", "numpy")

    def __init__(
        self,
        job: Job,
        program: ExportedProgram,
        samples: Sequence[Tensors],
        calibrator: Calibrator | None,
    ) -> None:
        self._job, self._samples, self._calibrator = job, samples, calibrator
        self._image = job.coreml_input == "image"
        self._floats: dict[str, _Made] = {}
        self._program = program
        deployment_target(job.coreml_target)  # refuses a mistyped one before any work
        if not self._image:
            return
        if job.preprocess is None:
            raise DeployError(
                "NO-PICTURE-INPUT",
                "This model's input is no picture, so Core ML cannot take an image for it.",
                "Export it with --coreml-input tensor.",
            )
        self._program = _with_pixels(program, job.preprocess)

    @staticmethod
    def warm_up() -> None:
        """Import coremltools, quietly, and mend what the installed torch breaks in it."""
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        apply_patches()

    def convert(self, precision: str, folder: Path) -> Converted:
        """Write ``model.mlpackage``."""
        demand_no_nms(self._job, "Core ML")
        demand_system(precision, self._job.coreml_target)
        made = self._made("fp32" if precision == "fp32" else "fp16")
        if PRECISIONS[precision].quantized:
            made = self._quantized(precision, made)
        path = folder / "model.mlpackage"
        made.model.save(str(path))
        make_reproducible(path)
        made.rule.demand(path)
        description = read_spec(path).description
        return Converted(
            model_file=path.name,
            inputs=_doors(self._job.inputs, description.input),
            outputs=_doors(self._job.outputs, description.output),
            preprocess=self._preprocess(),
            deployment={
                "minimum_os": self._job.coreml_target,
                "specification_version": str(made.model.get_spec().specificationVersion),
                "input": self._job.coreml_input,
                **made.deployment,
            },
            wide_ops=made.wide,
            stages=made.stages,
            trials=made.trials,
        )

    def _made(self, precision: str) -> _Made:
        """The program as a float package, made once for every precision that starts from it."""
        if precision not in self._floats:
            self._floats[precision] = self._converted(precision)
        return self._floats[precision]

    def _converted(self, precision: str) -> _Made:
        import coremltools as ct

        program = self._program.run_decompositions({})
        module: Any = program.module()
        over = overflowing(module, self._positional()) if precision == "fp16" else {}
        rule = WideOps([node.name for node in module.graph.nodes], over)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = ct.convert(
                program,
                inputs=[self._input_type(spec) for spec in self._job.inputs],
                outputs=[ct.TensorType(name=spec.name) for spec in self._job.outputs],
                convert_to="mlprogram",
                minimum_deployment_target=deployment_target(self._job.coreml_target),
                compute_precision=_compute_precision(precision, rule if over else None),
                skip_model_load=sys.platform != "darwin",
            )
        return _Made(model, rule, wide_nodes(module, over))

    def _quantized(self, precision: str, base: _Made) -> _Made:
        """The fp16 package with its weights, and for ``w8a8`` its activations, in few bits."""
        float_program = self._runner(base.model)
        if not PRECISIONS[precision].calibrated:
            model, how = quantize_weights(base.model, precision, self._job.coreml_target)
            stages: tuple[Stage, ...] = (Stage("fp16 Core ML program", float_program, "fp16"),)
            return replace(base, model=model, deployment={"weights": how}, stages=stages)
        stages = (Stage("fp16 Core ML program, readied for 8 bits", float_program),)
        assert self._calibrator is not None
        mix = self._job.mix if precision == "auto" else None
        mixed, layers = (mix.wide, mix.layers) if mix else ((), ())
        tail = coreml_wide(base.model.get_spec(), (), ())
        widened = coreml_wide(base.model.get_spec(), layers, {op.name for op in mixed})
        probe = self._emulated(base.model, "exact32")

        def observe(sample: Tensors, watch: Watch) -> None:
            def seen(name: str, value: torch.Tensor) -> None:
                if value.is_floating_point():
                    watch(name, value.float().numpy())

            probe.observe(self._feed(sample), seen)

        # The weights lie on their 8-bit steps already, so the ways are compared without compressing them.
        chosen = self._calibrator.calibrate(
            observe,
            lambda ranges: self._runner(quantize_activations(base.model, ranges, widened)),
            coreml_doors(base.model.get_spec()),
        )
        model = quantize_activations(base.model, chosen.ranges, widened)
        stages = (*stages, Stage("8-bit activations", self._runner(model)))
        model, how = quantize_weights(model, precision, self._job.coreml_target, widened)
        wide = (*mixed, *(WideOp(name=name, reason=TAIL_REASON) for name in sorted(tail)))
        return _Made(model, base.rule, (*base.wide, *wide), {"weights": how}, stages, as_trials(chosen))

    def _emulated(self, model: Any, mode: str) -> MilProgram:
        from export.mil.program import MilProgram

        return MilProgram.from_spec(model.get_spec(), Path(model.weights_dir), mode)

    def _runner(self, model: Any) -> Runner:
        """Runs a package that is no artifact yet, by emulation."""
        program = self._emulated(model, "storage16")
        names = [spec.name for spec in self._job.outputs]

        def run(sample: Tensors) -> dict[str, NDArray[Any]]:
            values = program.predict(self._feed(sample))
            return {name: np.asarray(values[name], np.float32) for name in names}

        return run

    def _feed(self, sample: Tensors) -> Tensors:
        """A normalised sample as the package takes it: pixels for an image input."""
        block = self._job.preprocess
        if not self._image or block is None:
            return sample
        return {block.input_name: pixels_of(np.asarray(sample[block.input_name], np.float32), block)}

    def prove(self, model: Path) -> PrecisionProof:
        """Count weight bytes and ops of the written ML Program by dtype."""
        return prove_coreml(model)

    def _input_type(self, spec: Any) -> Any:
        import coremltools as ct

        if not self._image:
            return ct.TensorType(name=spec.name, shape=spec.shape)
        assert self._job.preprocess is not None
        layouts = {"RGB": ct.colorlayout.RGB, "BGR": ct.colorlayout.BGR, "GRAY": ct.colorlayout.GRAYSCALE}
        return ct.ImageType(
            name=spec.name, shape=spec.shape, color_layout=layouts[self._job.preprocess.color], scale=1.0
        )

    def _preprocess(self) -> Preprocess | None:
        block = self._job.preprocess
        return block.model_copy(update={"input_kind": "image"}) if self._image and block else block

    def _positional(self) -> list[tuple[torch.Tensor, ...]]:
        import torch

        return [
            tuple(torch.from_numpy(sample[spec.name]) for spec in self._job.inputs)
            for sample in self._samples
        ]


def _doors(specs: tuple[TensorSpec, ...], features: Any) -> tuple[TensorSpec, ...]:
    """The specs with the dtypes the package itself asks for: fp16 programs have fp16 doors from iOS 16."""
    from coremltools.proto import FeatureTypes_pb2

    half = {
        feature.name
        for feature in features
        if feature.type.multiArrayType.dataType == FeatureTypes_pb2.ArrayFeatureType.FLOAT16
    }
    return tuple(
        spec.model_copy(update={"dtype": "float16"}) if spec.name in half else spec for spec in specs
    )


def _compute_precision(precision: str, rule: WideOps | None) -> Any:
    """coremltools' precision; with overflowing values, its selector of ops."""
    import coremltools as ct

    if precision == "fp32":
        return ct.precision.FLOAT32
    if rule is None:
        return ct.precision.FLOAT16
    return ct.transform.FP16ComputePrecision(op_selector=rule.narrow)


def _with_pixels(program: ExportedProgram, block: Preprocess) -> ExportedProgram:
    """The program with normalisation in front, so that it takes pixels 0..255 (an image input)."""
    import torch
    from torch import nn

    inner: Any = program.module()
    shape = (1, block.channels, 1, 1)
    mean, std = torch.tensor(block.mean).reshape(shape), torch.tensor(block.std).reshape(shape)

    class Pixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, pixels: torch.Tensor) -> Any:
            return self.inner((pixels / block.divisor - mean) / std)

    user = program.graph_signature.user_inputs[0]
    placeholder = next(node for node in program.graph.nodes if node.name == user)
    return torch.export.export(Pixels(), (torch.zeros(tuple(placeholder.meta["val"].shape)),))
