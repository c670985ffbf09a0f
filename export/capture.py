"""Capture a model once with ``torch.export``; every target starts from the same program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import ParityHop
from deploy.contracts.tensor import DType, TensorSpec
from deploy.errors import DeployError
from export.parity import judge_hop

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.export import ExportedProgram

    from export.samples import Picture
    from export.sources.protocol import LoadedModel

Outputs = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Captured:
    """The program, its outputs' specs, the fp32 reference outputs per sample, and hop one of the parity."""

    program: ExportedProgram
    outputs: tuple[TensorSpec, ...]
    references: list[Outputs]
    hop: ParityHop


def capture(model: LoadedModel, pictures: Sequence[Picture]) -> Captured:
    """Run the eager model on the samples, capture it, and check that the program says the same.

    Raises:
        DeployError: ``INPUT-SHAPE`` when the model refuses its input, ``OUTPUT-NAN`` when an output is not
            finite, ``OUTPUT-KIND`` for outputs that are no tensors, ``CAPTURE-FAILED`` when torch cannot
            capture it.
    """
    import torch

    flat, names = _flatten(model, pictures[0])
    arguments = [tuple(_tensor(p.inputs[spec.name]) for spec in model.inputs) for p in pictures]
    with torch.inference_mode():
        eager = [dict(zip(names, flat(*sample), strict=True)) for sample in arguments]
    for name, value in eager[0].items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise DeployError(
                "OUTPUT-NAN",
                f"The fp32 model's output {name} holds NaN or infinity on a real sample.",
                "Check its weights and its input range (--preprocess) before exporting.",
            )
    try:
        program = torch.export.export(flat, arguments[0])
    except Exception as error:
        raise DeployError(
            "CAPTURE-FAILED",
            f"torch.export cannot capture this model: {str(error).strip().splitlines()[0]}",
            "Remove data-dependent Python control flow from forward(), or export a part of it.",
        ) from error
    module = program.module()
    with torch.inference_mode():
        again = [dict(zip(names, module(*sample), strict=True)) for sample in arguments]
    references = [{name: value.numpy() for name, value in outputs.items()} for outputs in again]
    originals = [{name: value.numpy() for name, value in outputs.items()} for outputs in eager]
    specs = tuple(
        TensorSpec(name=name, shape=tuple(value.shape), dtype=_dtype(value))
        for name, value in eager[0].items()
    )
    return Captured(program, specs, references, judge_hop("eager -> captured", originals, references, "fp32"))


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write the program with ``torch.export.save``."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


def load_program(path: Path) -> ExportedProgram:
    """Read a program that ``save_program`` wrote."""
    import torch

    return torch.export.load(path)


def _flatten(model: LoadedModel, picture: Picture) -> tuple[nn.Module, list[str]]:
    """A module that returns a flat tuple of tensors, and the outputs' names."""
    import torch
    from torch import nn
    from torch.utils import _pytree as pytree

    arguments = tuple(_tensor(picture.inputs[spec.name]) for spec in model.inputs)
    try:
        with torch.inference_mode():
            value = model.module(*arguments)
    except Exception as error:
        shapes = ", ".join(f"{spec.name} {'x'.join(map(str, spec.shape))}" for spec in model.inputs)
        raise DeployError(
            "INPUT-SHAPE",
            f"The model refuses its input ({shapes}): {str(error).strip().splitlines()[0]}",
            "Give the shape it was built for, for example --input image=1x3x256x256.",
        ) from error
    leaves = pytree.tree_leaves(value)
    if not leaves or not all(isinstance(leaf, torch.Tensor) for leaf in leaves):
        raise DeployError(
            "OUTPUT-KIND",
            f"The model returns {type(value).__name__} with values that are no tensors.",
            "Return tensors, or a tuple or dict of tensors, from forward().",
        )
    names = _names(model.output_names, value, len(leaves))

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.module

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(pytree.tree_leaves(self.model(*inputs)))

    return Flat().eval(), names


def _names(given: tuple[str, ...] | None, value: Any, count: int) -> list[str]:
    if given is not None and len(given) == count:
        return list(given)
    if isinstance(value, dict) and len(value) == count:
        return [str(key) for key in value]
    return ["output"] if count == 1 else [f"output_{index}" for index in range(count)]


def _tensor(array: NDArray[np.generic]) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _dtype(value: torch.Tensor) -> DType:
    name: DType = str(value.dtype).removeprefix("torch.")  # type: ignore[assignment]
    return name
