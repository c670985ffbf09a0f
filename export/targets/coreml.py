"""Core ML: an ML Program by coremltools from the shared program, with tensor or image input."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from export.formats.coreml_package import make_reproducible, read_spec
from export.formats.coreml_patches import apply_patches
from export.formats.coreml_proof import prove_coreml
from export.formats.coreml_systems import deployment_target
from export.formats.coreml_wide import WideOps
from export.overflow import overflowing, wide_nodes
from export.targets.protocol import Converted, Tensors

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

    from export.calibration.calibrator import Calibrator
    from export.job import Job


class CoreMLTarget:
    """See ``export.targets.protocol.Target``."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16")
    INT8: ClassVar[str] = "fp16"
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "coremltools", "numpy")

    def __init__(
        self,
        job: Job,
        program: ExportedProgram,
        samples: Sequence[Tensors],
        calibrator: Calibrator | None,
    ) -> None:
        self._job, self._samples = job, samples
        self._image = job.coreml_input == "image"
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
        path = folder / "model.mlpackage"
        model.save(str(path))
        make_reproducible(path)
        rule.demand(path)
        description = read_spec(path).description
        return Converted(
            model_file=path.name,
            inputs=_doors(self._job.inputs, description.input),
            outputs=_doors(self._job.outputs, description.output),
            preprocess=self._preprocess(),
            deployment={
                "minimum_os": self._job.coreml_target,
                "specification_version": str(model.get_spec().specificationVersion),
                "input": self._job.coreml_input,
            },
            wide_ops=wide_nodes(module, over),
        )

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
