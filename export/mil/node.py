"""An op as its builder sees it: constants at once, tensors when the program runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import torch

from deploy.errors import DeployError
from export.mil.values import Constant, ValueType, broken

if TYPE_CHECKING:
    from export.mil.frame import Frame

Kernel = Callable[["Frame"], Any]
"""Computes an op's result: a value, or a tuple of values when the op has several outputs."""


@dataclass(frozen=True)
class Slot:
    """A place in the frame where a value stands while the program runs."""

    index: int
    type: ValueType


Reference = Slot | Constant


class Body(Protocol):
    """A nested block (of ``cond`` and ``while_loop``), ready to run."""

    inputs: tuple[Slot, ...]

    def run(self, frame: Frame) -> list[Any]:
        """Run the block's ops and return its outputs."""
        ...


@dataclass(frozen=True)
class Source:
    """Where an argument of a kernel's function comes from: read from the frame, or known already."""

    read: Callable[[Frame], Any]
    known: bool = False


class Node:
    """One op, its inputs resolved to constants and slots.

    Args:
        kind: op type. name: of its first output, for messages.
        opset: Core ML's opset number (7 is iOS 17).
        inputs: by parameter name; several references for a variadic parameter.
        outputs: declared types. blocks: nested blocks.
        seed: for random ops that have no seed of their own.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        opset: int,
        inputs: Mapping[str, Sequence[Reference]],
        outputs: Sequence[ValueType],
        blocks: Sequence[Body],
        seed: int,
    ) -> None:
        self.kind, self.name, self.opset, self.seed = kind, name, opset, seed
        self.inputs, self.outputs, self.blocks = inputs, outputs, blocks

    def has(self, name: str) -> bool:
        """Whether the parameter is given."""
        return bool(self.inputs.get(name))

    def dtype(self, name: str) -> str:
        """Declared dtype of an input."""
        reference = self._one(name)
        return reference.dtype if isinstance(reference, Constant) else reference.type.dtype

    def constant(self, name: str, default: Any = None) -> Any:
        """A parameter as Python value.

        Raises:
            DeployError: ``PACKAGE-BROKEN`` when it is computed by the program, which MIL forbids here.
        """
        if not self.has(name):
            return default
        values = []
        for reference in self.inputs[name]:
            if not isinstance(reference, Constant):
                raise broken(f"{self.kind} {self.name} computes {name}, which must be a constant")
            values.append(reference.python())
        return values[0] if len(values) == 1 else values

    def integer(self, name: str, default: int | None = None) -> int:
        """A constant integer."""
        value = self.constant(name, default)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, int):
            raise broken(f"{self.kind} {self.name} needs the integer {name}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A constant number, as float."""
        value = self.constant(name, default)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, (int, float)):
            raise broken(f"{self.kind} {self.name} needs the number {name}")
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A constant truth value."""
        return bool(self.constant(name, default))

    def text(self, name: str, default: str | None = None) -> str:
        """A constant string."""
        value = self.constant(name, default)
        if not isinstance(value, str):
            raise broken(f"{self.kind} {self.name} needs the string {name}")
        return value

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """A constant vector of integers; a scalar counts as a vector of one."""
        value = self.constant(name, default)
        return None if value is None else _flat_integers(value)

    def required_integers(self, name: str) -> list[int]:
        """Like ``integers``, for a parameter that must be given."""
        found = self.integers(name)
        if found is None:
            raise broken(f"{self.kind} {self.name} needs the integers {name}")
        return found

    def source(self, name: str) -> Source:
        """An input as the tensor (or list, or state) it carries; ``None`` when it is not given."""
        if not self.has(name):
            return Source(lambda frame: None, known=True)
        return _source(self._one(name))

    def all_sources(self, name: str) -> Source:
        """A variadic input as a list of tensors."""
        readers = [_source(each).read for each in self.inputs.get(name, ())]
        return Source(lambda frame: [read(frame) for read in readers])

    def run_integers(self, name: str) -> Source:
        """A vector of integers that may be computed by the program, as a Python list (or ``None``)."""
        if not self.has(name):
            return Source(lambda frame: None, known=True)
        if all(isinstance(each, Constant) for each in self.inputs[name]):
            fixed = self.integers(name)
            return Source(lambda frame: fixed, known=True)
        readers = [_source(each).read for each in self.inputs[name]]
        if len(readers) == 1:
            read = readers[0]
            return Source(lambda frame: _flat_integers(read(frame).tolist()))
        return Source(lambda frame: _flat_integers([each(frame).tolist() for each in readers]))

    def run_integer(self, name: str, default: int | None = None) -> Source:
        """One integer that may be computed by the program."""
        if not self.has(name):
            return Source(lambda frame: default, known=True)
        reference = self._one(name)
        if isinstance(reference, Constant):
            fixed = self.integer(name)
            return Source(lambda frame: fixed, known=True)
        read = _source(reference).read
        return Source(lambda frame: int(read(frame).item()))

    def apply(self, function: Callable[..., Any], *sources: str | Source) -> Kernel:
        """A kernel that calls ``function`` with the values of ``sources`` (a name stands for its tensor)."""
        readers = [(self.source(each) if isinstance(each, str) else each).read for each in sources]
        if len(readers) == 1:
            (only,) = readers
            return lambda frame: function(only(frame))
        if len(readers) == 2:
            first, second = readers
            return lambda frame: function(first(frame), second(frame))
        return lambda frame: function(*[read(frame) for read in readers])

    def generator(self) -> torch.Generator:
        """The op's own stream of random numbers, by its ``seed`` parameter or the program's seed."""
        asked = self.constant("seed", -1)
        seed = self.seed if asked is None or asked < 0 else int(asked)
        return torch.Generator().manual_seed(seed)

    def unknown(self, parameter: str, value: object) -> DeployError:
        """The error for a parameter value that this runner has never heard of."""
        return DeployError(
            "MIL-PARAMETER-UNKNOWN",
            f"{self.kind} {self.name} has {parameter} {value!r}, which this runner does not know.",
            "Export for an older deployment target, or run the model on a Mac.",
        )

    def _one(self, name: str) -> Reference:
        references = self.inputs.get(name)
        if not references:
            raise broken(f"{self.kind} {self.name} lacks its input {name}")
        return references[0]


def _source(reference: Reference) -> Source:
    if isinstance(reference, Constant):
        value = reference.carried()
        return Source(lambda frame: value, known=True)
    return Source(itemgetter(reference.index))


def _flat_integers(value: Any) -> list[int]:
    if isinstance(value, (list, tuple)):
        return [number for each in value for number in _flat_integers(each)]
    return [int(value)]
