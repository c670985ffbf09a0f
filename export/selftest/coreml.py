"""Edit the weights of a Core ML package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from export.selftest.packages import PackageEditor
from export.selftest.protocol import Layer


class CoreMLCorruptor:
    """See ``export.selftest.protocol.Corruptor``."""

    def __init__(self, model: Path) -> None:
        self._package = model
        self._editor = PackageEditor(model)

    def layers(self) -> list[Layer]:
        """Convolutions and products whose weights are constants of the program."""
        return self._editor.layers()

    def read(self, key: str) -> NDArray[Any]:
        """A constant's numbers."""
        return self._editor.read(key)

    def write(self, key: str, value: NDArray[Any]) -> None:
        """Replace a constant's numbers."""
        self._editor.write(key, value)

    def save(self, path: Path) -> None:
        """Write a package: a copy of the original with other numbers."""
        shutil.copytree(self._package, path)
        self._editor.put_into(path)
