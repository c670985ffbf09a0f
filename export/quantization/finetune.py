"""Train the weights a little with the rounding in place, so that the 8-bit model says what fp32 said.

No labels are needed: fp32's own outputs on the calibration pictures are the target, and gradients pass
through the rounding unchanged (the straight-through estimator of Bengio et al., 2013).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deploy.contracts.decode import BinaryMaskDecode, ClassifyDecode, Decode, YoloDecode
from export.folding import examples_of
from export.quantization.sensitivity import Sample, as_tensors

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from export.quantization.simulate import Simulator

RATE = 1e-5
_SMALLEST = 1e-7


def finetune(
    simulator: Simulator,
    samples: Sequence[Sample],
    decode: Decode,
    outputs: Sequence[str],
    steps: int,
    seed: int,
    told: Callable[[], None],
) -> dict[str, Tensor]:
    """New weights by constant name, after ``steps`` Adam steps of one picture each (rate 1e-5, cosine to 0).

    Args:
        simulator: with ranges; its own weights stay as they are.
        samples: calibration pictures, drawn in a seeded order.
        told: called after every step.
    """
    narrow = [unit.name for unit in simulator.units]
    weights = {
        name: value.clone().requires_grad_()
        for name, value in simulator.constants().items()
        if value.is_floating_point() and value.dim() >= 1 and value.numel() > 1
    }
    optimizer = torch.optim.Adam(weights.values(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.random.default_rng(seed).integers(len(samples), size=steps)
    for index in order:
        inputs = as_tensors(samples[int(index)])
        with torch.no_grad():
            wanted = dict(zip(outputs, simulator.run(inputs)[0], strict=True))
        given = dict(zip(outputs, simulator.run(inputs, narrow, weights=weights)[0], strict=True))
        optimizer.zero_grad()
        _loss(decode, wanted, given).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        told()
    return {name: value.detach() for name, value in weights.items()}


def with_constants(program: ExportedProgram, values: dict[str, Tensor]) -> ExportedProgram:
    """The program with other numbers in some of its constants, captured again.

    Args:
        values: by ``get_attr`` node name of the program's module.
    """
    module: Any = copy.deepcopy(program.module())
    for node in module.graph.nodes:
        if node.op == "get_attr" and node.name in values:
            owner, _, leaf = str(node.target).rpartition(".")
            getattr(module.get_submodule(owner), leaf).data = values[node.name]
    return torch.export.export(module, examples_of(program))


def _loss(decode: Decode, wanted: dict[str, Tensor], given: dict[str, Tensor]) -> Tensor:
    """The differentiable twin of ``export.calibration.divergence``."""
    if isinstance(decode, ClassifyDecode):
        target = wanted[decode.output].log_softmax(-1)
        return functional.kl_div(
            given[decode.output].log_softmax(-1), target, log_target=True, reduction="batchmean"
        )
    if isinstance(decode, BinaryMaskDecode):
        return functional.binary_cross_entropy_with_logits(
            given[decode.output], wanted[decode.output].sigmoid()
        )
    if isinstance(decode, YoloDecode):
        return _yolo(decode, wanted, given)
    return torch.stack([_relative(wanted[name], given[name]) for name in wanted]).mean()


def _yolo(decode: YoloDecode, wanted: dict[str, Tensor], given: dict[str, Tensor]) -> Tensor:
    classes = 4 + len(decode.class_names)
    target, answer = wanted[decode.output], given[decode.output]
    scores = target[:, 4:classes]
    certainty = scores.amax(1, keepdim=True)
    loss = functional.binary_cross_entropy(
        answer[:, 4:classes].clamp(_SMALLEST, 1 - _SMALLEST), scores, reduction="sum"
    )
    size = target[:, 2:4].mean(1, keepdim=True).clamp_min(1.0)
    loss = (loss + (certainty * (answer[:, :4] - target[:, :4]).abs() / size).sum()) / certainty.sum()
    if decode.protos is not None:
        loss = loss + _relative(wanted[decode.protos], given[decode.protos])
        loss = loss + _relative(certainty * target[:, classes:], certainty * answer[:, classes:])
    return loss


def _relative(wanted: Tensor, given: Tensor) -> Tensor:
    return (wanted - given).square().sum() / wanted.square().sum().clamp_min(_SMALLEST)
