"""Capture a model once with ``torch.export``; every target starts from the same program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import ParityHop
from deploy.contracts.decode import Decode
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
    with torch.no_grad():  # inference mode would mark the anchors that YOLO heads keep from their first run
        eager = [dict(zip(names, flat(*sample), strict=True)) for sample in arguments]
    specs = tuple(_spec(name, value) for name, value in eager[0].items())
    _demand_outputs(model.decode, names)
    for picture, outputs in zip(pictures, eager, strict=True):
        _demand_finite(picture, outputs)
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
    return Captured(program, specs, references, judge_hop("eager -> captured", originals, references, "fp32"))


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write the program with ``torch.export.save``, by way of memory: on a full disk torch's own file writer
    ends the whole process."""
    import io
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
    path.write_bytes(buffer.getvalue())


def load_program(path: Path) -> ExportedProgram:
    """Read a program that ``save_program`` wrote."""
    from deploy.runtimes import torch_program

    program: ExportedProgram = torch_program.load_program(path)
    return program


def _flatten(model: LoadedModel, picture: Picture) -> tuple[nn.Module, list[str]]:
    """A module that returns a flat tuple of tensors, and the outputs' names."""
    import torch
    from torch import nn
    from torch.utils import _pytree as pytree

    arguments = tuple(_tensor(picture.inputs[spec.name]) for spec in model.inputs)
    try:
        with torch.no_grad():
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


def _spec(name: str, value: torch.Tensor) -> TensorSpec:
    """What the manifest says of an output; a dtype that no phone format carries is refused."""
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in get_args(DType):
        raise DeployError(
            "OUTPUT-KIND",
            f"The model's output {name} is {dtype}; a file can give {', '.join(get_args(DType))}.",
            "Return .float() (or integers) from forward().",
        )
    return TensorSpec(name=name, shape=tuple(value.shape), dtype=dtype)  # type: ignore[arg-type]


def _demand_outputs(decode: Decode, names: list[str]) -> None:
    """Raise ``DECODE-OUTPUT`` where the decode block reads an output that the model does not give."""
    wanted = [getattr(decode, field, None) for field in ("output", "protos")]
    absent = [name for name in wanted if name is not None and name not in names]
    if absent:
        raise DeployError(
            "DECODE-OUTPUT",
            f"The decode block reads {', '.join(absent)}, but the model gives {', '.join(names)}.",
            "Name one of the model's outputs in the --decode file.",
        )


def _demand_finite(picture: Picture, outputs: dict[str, torch.Tensor]) -> None:
    for name, value in outputs.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise DeployError(
                "OUTPUT-NAN",
                f"The fp32 model's output {name} holds NaN or infinity on sample {picture.id}.",
                "Check its weights and its input range (--preprocess) before exporting.",
            )
