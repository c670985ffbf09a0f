"""Readying a program for 8 bits on one screen: biases, fine-tuning, ranges, sensitivity, search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deploy import console
from deploy.contracts.artifact import WideOp
from deploy.contracts.decode import Decode
from deploy.contracts.mix import Mix
from deploy.contracts.preprocess import Preprocess
from export.calibration.choose import Ranges, choose
from export.calibration.divergence import divergence
from export.calibration.histogram import Observer
from export.calibration.methods import METHODS
from export.folding import folded
from export.quantization.bias import bias_shifts
from export.quantization.finetune import finetune, with_constants
from export.quantization.judge import Judge
from export.quantization.ready import readied
from export.quantization.search import search
from export.quantization.sensitivity import Sample, as_outputs, as_tensors, rank, show
from export.quantization.simulate import Simulator

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from training.data.samples import EvaluationSample

_OBSERVED, _RANKED, _TRIED = 16, 8, 8
"""Pictures that give the simulation its ranges, that rank the layers, and that pick ranges and weights."""


@dataclass(frozen=True)
class Material:
    """What the search works on.

    ``calibration`` and ``hold_out``: prepared pictures, float32 (N, C, H, W), disjoint. ``judged``: pictures
    that the budget is measured on, disjoint from the calibration.
    """

    program: ExportedProgram
    decode: Decode
    preprocess: Preprocess
    outputs: tuple[str, ...]
    calibration: NDArray[np.float32]
    hold_out: NDArray[np.float32]
    judged: Sequence[EvaluationSample]


@dataclass(frozen=True)
class Planned:
    """What the converters are told.

    ``whole`` is the program that a file with every layer in 8 bits starts from, ``mixed`` that of ``mix``:
    norms folded, weights rounded, biases shifted where it pays, fine-tuned where that was asked and pays.
    """

    layers: tuple[str, ...]
    wide: tuple[WideOp, ...]
    mix: Mix | None
    whole: ExportedProgram
    mixed: ExportedProgram | None
    finetuned_steps: int


def plan_mix(
    material: Material, budget: tuple[str | None, float] | None, steps: int, seed: int, kept: Path
) -> Planned:
    """Ready the program for 8 bits: biases, weights, and the layers that an ``auto`` file keeps wide.

    Args:
        budget: a figure's name (``None``: the task's) and the largest drop; ``None`` looks for no mix.
        steps: of fine-tuning; 0 for none.
        seed: of drawing pictures and lots.
        kept: file that ranking is resumed from.
    """
    program = folded(material.program)
    simulator = Simulator(program)
    simulator.shifts = _shifts(simulator, material)
    if budget is not None or steps:
        simulator.ranges = _ranges(simulator, material)
    taken = 0
    if steps:
        tuned, simulator = _tuned(simulator, program, material, steps, seed)
        if tuned is not None:
            program, taken = tuned, steps
    layers = tuple(unit.name for unit in simulator.units)
    whole = readied(program, simulator)
    if budget is None:
        return Planned(layers, (), None, whole, None, taken)
    samples = _samples(material, material.calibration[:_RANKED])
    with console.progress(f"sensitivity of {len(layers)} layers", len(samples)) as bar:
        costs = rank(simulator, samples, material.decode, material.outputs, kept, bar.advance)
    original = Simulator(folded(material.program))

    def reference(sample: Sample) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            return as_outputs(original.run(as_tensors(sample))[0], material.outputs)

    judge = Judge(material.judged, material.decode, material.preprocess, budget[0], reference, seed)
    with console.progress("searching the mix", len(layers).bit_length() + 4) as bar:
        found = search(simulator, judge, material.outputs, costs, budget[1], len(samples), seed, bar.advance)
    wide = tuple(
        WideOp(name=name, reason=f"alone in 8 bits it diverges by {costs[name]:.3g}") for name in found.wide
    )
    return Planned(layers, wide, found.mix, whole, readied(program, simulator, found.wide), taken)


def _shifts(simulator: Simulator, material: Material) -> dict[str, Tensor]:
    """Of every bias; none where held-out pictures show no gain with weights in 8 bits alone."""
    shifts = bias_shifts(simulator, _samples(material, material.calibration[:_OBSERVED]))
    tried = _samples(material, material.hold_out[:_TRIED])
    wanted = _answers(simulator, tried, material.outputs, narrow=False)
    found = []
    for simulator.shifts in ({}, shifts):
        answers = _answers(simulator, tried, material.outputs, narrow=True)
        found.append(divergence(material.decode, wanted, answers))
    was, now = found
    verdict = "kept" if now < was else "left as they were"
    console.note(
        f"Biases that take back what rounding weights shifts: divergence {was:.4g} -> {now:.4g}; {verdict}."
    )
    return shifts if now < was else {}


def _ranges(simulator: Simulator, material: Material) -> Ranges:
    """The best way of taking ranges, on a part of the hold-out."""
    samples = _samples(material, material.calibration[:_OBSERVED])
    observer = Observer([len(samples)])
    for sample in samples:
        show(simulator, sample, observer.watch)
        observer.next_sample()
    tried = _samples(material, material.hold_out[:_TRIED])

    def run(ranges: Ranges, part: Sequence[int]) -> list[dict[str, NDArray[Any]]]:
        simulator.ranges = ranges
        return _answers(simulator, [tried[index] for index in part], material.outputs, narrow=True)

    references = _answers(simulator, tried, material.outputs, narrow=False)
    counts, whole = (len(samples),), simulator.doors
    return choose(observer, tuple(METHODS), counts, material.decode, references, run, whole).ranges


def _tuned(
    simulator: Simulator, program: ExportedProgram, material: Material, steps: int, seed: int
) -> tuple[ExportedProgram | None, Simulator]:
    """Fine-tuned weights, kept only where they diverge less on pictures they were not trained on."""
    samples = _samples(material, material.calibration)
    with console.progress("fine-tuning for 8 bits", steps) as bar:
        weights = finetune(simulator, samples, material.decode, material.outputs, steps, seed, bar.advance)
    candidate = with_constants(program, weights)
    after = Simulator(candidate, simulator.ranges, simulator.shifts)
    tried = _samples(material, material.hold_out[:_TRIED])
    wanted = _answers(simulator, tried, material.outputs, narrow=False)
    was, now = (
        divergence(material.decode, wanted, _answers(each, tried, material.outputs, narrow=True))
        for each in (simulator, after)
    )
    verdict = "kept" if now < was else "thrown away: it does not pay"
    console.note(
        f"Fine-tuning {steps} steps: divergence on held-out pictures {was:.4g} -> {now:.4g}; {verdict}."
    )
    return (candidate, after) if now < was else (None, simulator)


def _answers(
    simulator: Simulator, samples: Sequence[Sample], outputs: Sequence[str], *, narrow: bool
) -> list[dict[str, NDArray[Any]]]:
    units = [unit.name for unit in simulator.units] if narrow else []
    with torch.inference_mode():
        return [as_outputs(simulator.run(as_tensors(sample), units)[0], outputs) for sample in samples]


def _samples(material: Material, pictures: NDArray[np.float32]) -> list[Sample]:
    name = material.preprocess.input_name
    return [{name: pictures[index : index + 1]} for index in range(len(pictures))]
