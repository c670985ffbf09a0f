"""ExecuTorch: XNNPACK for Android and desktop, or the Core ML delegate, from the shared program."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import CalibrationTrial, PrecisionProof, WideOp
from deploy.errors import DeployError
from export.calibration.calibrator import Watch, as_trials
from export.calibration.choose import Ranges
from export.folding import folded
from export.formats.executorch_fp16 import half_program, half_weights, transposed_weights
from export.formats.executorch_partition import coreml_partitioner, xnnpack_partitioner
from export.formats.executorch_plan import plan_activations, plan_dynamic, plan_weights
from export.formats.executorch_proof import prove_executorch
from export.formats.executorch_quantized import quantized, quantized_dynamically, simulated
from export.formats.executorch_ranges import Extremes, settled
from export.formats.executorch_rewrite import spell_out, without_places
from export.formats.executorch_runner import graph_runner, watch_values
from export.nms import demand_no_nms
from export.overflow import overflowing, wide_nodes
from export.precisions import PRECISIONS
from export.quantization.fx_steps import fx_steps, fx_tail
from export.quantization.tail import TAIL_REASON
from export.quantization.units import widened
from export.targets.protocol import Converted, Runner, Stage, Tensors

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from export.calibration.calibrator import Calibrator
    from export.job import Job

_HAVE = {
    "xnnpack": ("fp32", "fp16", "w8a8", "w8a8-dynamic", "auto"),
    "coreml": ("fp32", "fp16", "w8", "w8a8", "auto"),
}
_NAMES = {"xnnpack": "XNNPACK", "coreml": "CoreML"}


@dataclass(frozen=True)
class _Made:
    """A torch program at its precision, and what is to be said of it."""

    program: ExportedProgram
    wide: tuple[WideOp, ...] = ()
    stages: tuple[Stage, ...] = ()
    trials: tuple[CalibrationTrial, ...] = ()


class ExecuTorchTarget:
    """See ``export.targets.protocol.Target``. ``PRECISIONS`` are those of both delegates together."""

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "w8", "w8a8", "w8a8-dynamic", "auto")
    INT8: ClassVar[str] = "w8a8"
    TOOLS: ClassVar[tuple[str, ...]] = ("torch", "executorch", "torchao")

    def __init__(
        self,
        job: Job,
        program: ExportedProgram,
        samples: Sequence[Tensors],
        calibrator: Calibrator | None,
    ) -> None:
        self._job, self._program, self._samples, self._calibrator = job, program, samples, calibrator
        self._backend = job.executorch_backend

    @staticmethod
    def warm_up() -> None:
        """Import the lowering passes and the runtime."""
        logging.getLogger("executorch").setLevel(logging.ERROR)
        import executorch.exir
        import executorch.runtime
        from executorch.backends.xnnpack.partition import xnnpack_partitioner

        del executorch, xnnpack_partitioner

    def convert(self, precision: str, folder: Path) -> Converted:
        """Write ``model.pte``.

        Raises:
            DeployError: ``PRECISION-LACKING`` for a precision that only the other delegate has, and what
                Core ML refuses.
        """
        demand_no_nms(self._job, "ExecuTorch")
        if precision not in _HAVE[self._backend]:
            raise DeployError(
                "PRECISION-LACKING",
                f"ExecuTorch's {_NAMES[self._backend]} delegate cannot be exported at {precision}.",
                f"Choose one of: {', '.join(_HAVE[self._backend])}.",
            )
        deployment = {"delegate": _NAMES[self._backend]}
        if PRECISIONS[precision].activations != "float":
            deployment["activations"] = PRECISIONS[precision].activations
        if self._backend == "coreml":
            deployment["minimum_os"] = self._job.coreml_target
            partitioner = coreml_partitioner(precision, self._job.coreml_target)
        else:
            partitioner = xnnpack_partitioner(PRECISIONS[precision].quantized)
        made = self._made(precision)
        with half_weights() if (self._backend, precision) == ("xnnpack", "fp16") else nullcontext():
            path, partitions = _lower(made.program, partitioner, folder)
        return Converted(
            model_file=path.name,
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._job.preprocess,
            deployment={**deployment, "partitions": str(partitions)},
            wide_ops=made.wide,
            stages=made.stages,
            trials=made.trials,
        )

    def prove(self, model: Path) -> PrecisionProof:
        """Count weight bytes and ops of the written program by dtype, inside its delegates too."""
        return prove_executorch(model)

    def _made(self, precision: str) -> _Made:
        """The program to lower. At fp16, Core ML's comes from coremltools, which rounds by itself."""
        if precision == "fp16" and self._backend == "xnnpack":
            return self._half()
        if precision in ("fp32", "fp16"):
            return _Made(self._program)
        if precision == "w8":
            return self._captured(precision, quantized(self._graph, plan_weights(self._graph.graph), {}))
        if precision == "w8a8-dynamic":
            plan = plan_dynamic(self._graph.graph, fx_tail(self._graph.graph))
            return self._captured(precision, quantized_dynamically(self._graph, plan))
        return self._calibrated(precision)

    def _half(self) -> _Made:
        wide = self._overflowing()
        named = {op.name for op in wide}
        program = half_program(self._program, named)
        wide += tuple(op for op in transposed_weights(self._program) if op.name not in named)
        return _Made(program, wide, (Stage("fp16 torch graph", graph_runner(program.module(), self._job)),))

    def _calibrated(self, precision: str) -> _Made:
        """Ranges from the calibration pictures, tried on the hold-out with rounding in torch."""
        graph, tail = self._graph, fx_tail(self._graph.graph)
        mixed = self._job.mix.wide if self._job.mix and precision == "auto" else ()
        more = widened(fx_steps(graph.graph), tail, {op.name for op in mixed}, str)
        plan = plan_activations(graph.graph, tail, self._backend == "xnnpack", more)
        behind = tuple(WideOp(name=name, reason=TAIL_REASON) for name in sorted(tail - plan.made))
        extremes = Extremes()

        def observe(sample: Tensors, watch: Watch) -> None:
            def all_of(name: str, values: NDArray[np.float32]) -> None:
                watch(name, values)
                if name in plan.answers:
                    extremes.add(name, values)

            watch_values(graph, self._job, plan.groups, sample, all_of)

        def build(ranges: Ranges) -> Runner:
            used = settled(plan, ranges, extremes.ranges)
            return graph_runner(simulated(graph, plan, used), self._job)

        assert self._calibrator is not None
        chosen = self._calibrator.calibrate(observe, build)
        used = settled(plan, chosen.ranges, extremes.ranges)
        done = quantized(graph, plan, used)
        return self._captured(precision, done, (*mixed, *behind), as_trials(chosen))

    def _captured(
        self,
        precision: str,
        graph: GraphModule,
        wide: tuple[WideOp, ...] = (),
        trials: tuple[CalibrationTrial, ...] = (),
    ) -> _Made:
        """A quantized graph as a program; in torch it is a stage, so that blame lands on one hop."""
        import torch

        examples = tuple(torch.from_numpy(self._samples[0][spec.name]) for spec in self._job.inputs)
        stage = Stage(f"{precision} torch graph", graph_runner(graph, self._job))
        return _Made(torch.export.export(graph, examples), wide, (stage,), trials)

    @cached_property
    def _graph(self) -> GraphModule:
        """The fp32 graph that is quantized: norms folded, and for XNNPACK spelled in ops that it has."""
        module: Any = folded(self._program).module()
        if self._backend == "xnnpack":
            spell_out(module)
        else:
            without_places(module)
        return module  # type: ignore[no-any-return]

    def _overflowing(self) -> tuple[WideOp, ...]:
        import torch

        samples = [
            tuple(torch.from_numpy(sample[spec.name]) for spec in self._job.inputs)
            for sample in self._samples
        ]
        module: Any = self._program.module()
        return wide_nodes(module, overflowing(module, samples))


def _lower(program: ExportedProgram, partitioner: Any, folder: Path) -> tuple[Path, int]:
    """Partition, lower and write; returns the file and the number of delegated partitions."""
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(program, partitioner=[partitioner])
    partitions = get_delegation_info(edge.exported_program().graph_module).num_delegated_subgraphs
    path = folder / "model.pte"
    path.write_bytes(edge.to_executorch().buffer)
    return path, int(partitions)
