"""The socket of a foreign file format: the doors of a file nobody wrote a manifest for, and its contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.tensor import TensorSpec


@dataclass(frozen=True)
class Found:
    """What a file says of itself.

    ``images`` are inputs that take an 8-bit picture, with their colour order. A dimension that the file
    leaves open is -1. Outputs without names of their own are called ``output_0``, ``output_1`` and so on.
    ``deployment`` is what an artifact's manifest would say under that key.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    images: Mapping[str, Literal["RGB", "BGR", "GRAY"]] = field(default_factory=dict)
    deployment: dict[str, str] = field(default_factory=dict)


class ForeignFormat(Protocol):
    """One file format. ``target`` is the runtimes' name for it."""

    target: ClassVar[str]

    @staticmethod
    def doors(model: Path) -> Found:
        """Read inputs and outputs; raises whatever the format's own library raises for a broken file."""
        ...

    @staticmethod
    def prove(model: Path) -> PrecisionProof:
        """Count stored bytes and ops by dtype, as for an artifact."""
        ...
