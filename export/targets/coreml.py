"""Core ML: an ML Program by coremltools from the shared program, with tensor or image input."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from deploy.contracts.artifact import PrecisionProof, WideOp
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.runtimes.coreml import CoreMLRuntime
from export.formats.coreml_package import make_reproducible
from export.formats.coreml_patches import apply_patches
from export.formats.coreml_proof import prove_coreml
from export.formats.coreml_systems import deployment_target
from export.overflow import wide_nodes
from export.targets.protocol import Converted, Tensors

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

    from export.job import Job


class CoreMLTarget:
    """See ``export.targets.protocol.Target``."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16")
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "coremltools", "numpy")

    def __init__(self, job: Job, program: ExportedProgram, samples: Sequence[Tensors]) -> None:
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
        wide = self._overflowing(program) if precision == "fp16" else ()
        nodes = {node.name for node in program.module().graph.nodes}  # type: ignore[union-attr]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = ct.convert(
                program,
                inputs=[self._input_type(spec) for spec in self._job.inputs],
                outputs=[ct.TensorType(name=spec.name) for spec in self._job.outputs],
                convert_to="mlprogram",
                minimum_deployment_target=deployment_target(self._job.coreml_target),
                compute_precision=_compute_precision(precision, {op.name for op in wide}, nodes),
                skip_model_load=sys.platform != "darwin",
            )
        path = folder / "model.mlpackage"
        model.save(str(path))
        make_reproducible(path)
        return Converted(
            model_file=path.name,
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._preprocess(),
            deployment={
                "minimum_os": self._job.coreml_target,
                "specification_version": str(model.get_spec().specificationVersion),
                "input": self._job.coreml_input,
            },
            wide_ops=wide,
            cannot_run=CoreMLRuntime.why_not(),
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

    def _overflowing(self, program: ExportedProgram) -> tuple[WideOp, ...]:
        import torch

        samples = [
            tuple(torch.from_numpy(sample[spec.name]) for spec in self._job.inputs)
            for sample in self._samples
        ]
        return wide_nodes(program.module(), samples)  # type: ignore[arg-type]


def _compute_precision(precision: str, wide: set[str], nodes: set[str]) -> Any:
    """coremltools' precision; with wide ops, a selector by MIL name.

    A MIL op is called as its fx node, or NODE_suffix; where several fit (mul, mul_1), it is the longest.
    """
    import coremltools as ct

    if precision == "fp32":
        return ct.precision.FLOAT32
    if not wide:
        return ct.precision.FLOAT16

    def narrow(op: Any) -> bool:
        owners = [name for name in nodes if op.name == name or op.name.startswith(f"{name}_")]
        return max(owners, key=len, default="") not in wide

    return ct.transform.FP16ComputePrecision(op_selector=narrow)


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
