"""The socket of an observer: run a file once and show what its ops computed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Seen:
    """One value inside a file: its name there, the op that made it, and its numbers as float32."""

    name: str
    op: str
    value: NDArray[np.float32]


class Observer(Protocol):
    """One loaded file.

    ``NAMED``: values keep names of the captured program. ``LIMITS`` says what cannot be seen, ``None`` when
    every op can.
    """

    NAMED: ClassVar[bool]
    LIMITS: ClassVar[str | None]

    def __init__(self, model: Path, inputs: tuple[str, ...], threads: int) -> None: ...

    @staticmethod
    def why_not() -> str | None:
        """Why such files cannot be looked into here, or ``None`` when they can."""
        ...

    def observe(self, feed: Mapping[str, NDArray[Any]]) -> list[Seen]:
        """Every floating-point value that can be seen, in execution order."""
        ...
