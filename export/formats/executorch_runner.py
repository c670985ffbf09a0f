"""Run a torch graph on arrays by name, and watch its values on the way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.calibration.calibrator import Watch
from export.targets.protocol import Runner, Tensors

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from export.job import Job


def graph_runner(module: Any, job: Job) -> Runner:
    """The module's outputs by the job's names, without gradients."""
    import torch

    def run(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        with torch.inference_mode():
            values = module(*(torch.tensor(inputs[spec.name]) for spec in job.inputs))
        flat: Sequence[Any] = values if isinstance(values, (tuple, list)) else (values,)
        return {spec.name: value.numpy() for spec, value in zip(job.outputs, flat, strict=True)}

    return run


def watch_values(
    module: GraphModule, job: Job, names: Collection[str], sample: Tensors, watch: Watch
) -> None:
    """Run one sample and show every named value; inputs and constants are values too."""
    import torch

    class Watching(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> Any:
            value = super().run_node(node)
            if node.name in names:
                watch(node.name, value.numpy())
            return value

    with torch.inference_mode():
        Watching(module).run(*(torch.tensor(sample[spec.name]) for spec in job.inputs))
