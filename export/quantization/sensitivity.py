"""What each layer costs when it alone is in 8 bits, in the task's terms; resumed where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.contracts.decode import Decode
from deploy.store import write_atomic
from export.calibration.divergence import divergence

if TYPE_CHECKING:
    from export.quantization.simulate import Simulator

Sample = dict[str, NDArray[np.float32]]


def show(simulator: Simulator, sample: Sample, watch: Callable[[str, NDArray[np.float32]], None]) -> None:
    """Run fp32 on a sample and show every float value by node name."""
    with torch.inference_mode():
        _, values = simulator.run(as_tensors(sample), keep=True)
    for name, value in values.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            watch(name, value.numpy())


def rank(
    simulator: Simulator,
    samples: Sequence[Sample],
    decode: Decode,
    outputs: Sequence[str],
    kept: Path,
    told: Callable[[], None],
) -> dict[str, float]:
    """Mean divergence of every layer quantized alone, worst first.

    Args:
        simulator: with ranges.
        samples: pictures to rank on.
        outputs: names of the model's outputs.
        kept: JSON file with what is already known, rewritten after every picture, so that a stopped run
            goes on where it was.
        told: called after every picture.
    """
    costs: list[dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else []
    with torch.inference_mode():
        for index, sample in enumerate(samples):
            if index >= len(costs):
                costs.append(_alone(simulator, sample, decode, outputs))
                write_atomic(kept, json.dumps(costs).encode())
            told()
    mean = {unit.name: float(np.mean([each[unit.name] for each in costs])) for unit in simulator.units}
    return dict(sorted(mean.items(), key=lambda pair: -pair[1]))


def _alone(simulator: Simulator, sample: Sample, decode: Decode, outputs: Sequence[str]) -> dict[str, float]:
    inputs = as_tensors(sample)
    reference, known = simulator.run(inputs, keep=True)
    wanted = [as_outputs(reference, outputs)]
    return {
        unit.name: divergence(
            decode, wanted, [as_outputs(simulator.run(inputs, (unit.name,), known=known)[0], outputs)]
        )
        for unit in simulator.units
    }


def as_tensors(sample: Sample) -> dict[str, torch.Tensor]:
    """Arrays by name as tensors over the same memory."""
    return {name: torch.from_numpy(value) for name, value in sample.items()}


def as_outputs(values: Sequence[torch.Tensor], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Outputs as arrays by name."""
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}
