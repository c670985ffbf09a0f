"""ExecuTorch: XNNPACK for Android and desktop, or the Core ML delegate, from the shared program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import PrecisionProof, WideOp
from export.formats.executorch_fp16 import half_program, half_weights, transposed_weights
from export.formats.executorch_proof import prove_executorch
from export.overflow import overflowing, wide_nodes
from export.targets.protocol import Converted, Stage, Tensors

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from export.calibration.calibrator import Calibrator
    from export.job import Job


class ExecuTorchTarget:
    """See ``export.targets.protocol.Target``."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16")
    INT8: ClassVar[str] = "fp16"
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "executorch", "torchao")

    def __init__(
        self,
        job: Job,
        program: ExportedProgram,
        samples: Sequence[Tensors],
        calibrator: Calibrator | None,
    ) -> None:
        self._job, self._program, self._samples = job, program, samples

    @staticmethod
    def warm_up() -> None:
        """Import the lowering passes and the runtime."""
        logging.getLogger("executorch").setLevel(logging.ERROR)
        import executorch.exir
        import executorch.runtime
        from executorch.backends.xnnpack.partition import xnnpack_partitioner

        del executorch, xnnpack_partitioner

    def convert(self, precision: str, folder: Path) -> Converted:
        """Write ``model.pte``."""
        if self._job.executorch_backend == "coreml":
            return self._convert_coreml(precision, folder)
        wide: tuple[WideOp, ...] = ()
        stages: tuple[Stage, ...] = ()
        program = self._program
        if precision == "fp16":
            wide = self._overflowing()
            program = half_program(self._program, {op.name for op in wide})
            named = {op.name for op in wide}
            wide += tuple(op for op in transposed_weights(self._program) if op.name not in named)
            stages = (Stage("fp16 torch graph", self._torch_runner(program)),)
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        with half_weights() if precision == "fp16" else nullcontext():
            path, partitions = _lower(program, XnnpackPartitioner(), folder)
        return Converted(
            model_file=path.name,
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._job.preprocess,
            deployment={"delegate": "XNNPACK", "partitions": str(partitions)},
            wide_ops=wide,
            stages=stages,
        )

    def prove(self, model: Path) -> PrecisionProof:
        """Count weight bytes and ops of the written program by dtype, inside its delegates too."""
        return prove_executorch(model)

    def _convert_coreml(self, precision: str, folder: Path) -> Converted:
        """Lower to the Core ML delegate; its compute precision is set by coremltools, not by our graph."""
        import coremltools as ct
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        from export.formats.coreml_patches import apply_patches
        from export.formats.coreml_systems import deployment_target

        apply_patches()
        specs = CoreMLBackend.generate_compile_specs(
            compute_precision=ct.precision.FLOAT16 if precision == "fp16" else ct.precision.FLOAT32,
            minimum_deployment_target=deployment_target(self._job.coreml_target),
        )
        path, partitions = _lower(self._program, CoreMLPartitioner(compile_specs=specs), folder)
        return Converted(
            model_file=path.name,
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._job.preprocess,
            deployment={
                "delegate": "CoreML",
                "partitions": str(partitions),
                "minimum_os": self._job.coreml_target,
            },
        )

    def _overflowing(self) -> tuple[WideOp, ...]:
        import torch

        samples = [
            tuple(torch.from_numpy(sample[spec.name]) for spec in self._job.inputs)
            for sample in self._samples
        ]
        module: Any = self._program.module()
        return wide_nodes(module, overflowing(module, samples))

    def _torch_runner(self, program: ExportedProgram) -> Callable[[Tensors], dict[str, NDArray[Any]]]:
        """Run a program in torch on arrays by name."""
        import torch

        module = program.module()

        def run(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[Any]]:
            with torch.inference_mode():
                values = module(*(torch.from_numpy(inputs[spec.name]) for spec in self._job.inputs))
            flat = values if isinstance(values, (tuple, list)) else (values,)
            return {spec.name: value.numpy() for spec, value in zip(self._job.outputs, flat, strict=True)}

        return run


def _lower(program: ExportedProgram, partitioner: Any, folder: Path) -> tuple[Path, int]:
    """Partition, lower and write; returns the file and the number of delegated partitions."""
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(program, partitioner=[partitioner])
    partitions = get_delegation_info(edge.exported_program().graph_module).num_delegated_subgraphs
    path = folder / "model.pte"
    path.write_bytes(edge.to_executorch().buffer)
    return path, int(partitions)
