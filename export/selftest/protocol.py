"""The socket of a corruptor: the weighted layers of a model file, and their numbers to read and write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """An op with stored weights. ``weight``, ``bias`` and ``scale`` are what ``read`` and ``write`` take.

    ``scale`` belongs to a quantized weight; ``None`` for a float one. ``axis`` is the weight's axis of output
    channels.
    """

    name: str
    op: str
    weight: str
    axis: int
    bias: str | None = None
    scale: str | None = None


class Corruptor(Protocol):
    """One opened model file; edits stay in memory until ``save``."""

    def __init__(self, model: Path) -> None: ...

    def layers(self) -> list[Layer]:
        """The layers whose numbers can be edited, in the order they are computed."""
        ...

    def read(self, key: str) -> NDArray[Any]:
        """A copy of the numbers, in their stored dtype."""
        ...

    def write(self, key: str, value: NDArray[Any]) -> None:
        """Replace numbers by others of the same shape and dtype."""
        ...

    def save(self, path: Path) -> None:
        """Write the edited model to ``path``, a file or a package folder."""
        ...
