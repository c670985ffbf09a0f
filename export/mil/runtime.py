"""Core ML packages behind the common runtime socket, run by emulation on any operating system."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError


class EmulatedCoreML:
    """A loaded ``.mlpackage``; see ``deploy.runtimes.protocol.Runtime``. Numerics mode ``storage16``.

    Image inputs are given as float32 (1, 3, H, W) RGB values in 0..255, like every other runtime's input.
    """

    @staticmethod
    def prepare() -> None:
        """Import torch and coremltools' message types."""
        import torch

        from export.mil import package, program

        package.import_messages()
        del program, torch

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import torch

        from export.mil.program import MilProgram

        torch.set_num_threads(threads)
        self._program = MilProgram.load(model)
        self._outputs = [spec.name for spec in outputs]
        absent = [name for name in self._outputs if name not in self._program.outputs]
        if absent:
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"{model.name} has no output called {absent[0]!r}; its manifest says it has.",
                "Export it again.",
            )

    @staticmethod
    def why_not() -> str | None:
        """``None`` when coremltools is installed (its message types are needed, Core ML itself is not)."""
        for name, extra in (("torch", "train"), ("coremltools", "coreml")):
            if find_spec(name) is None:
                return f"{name} is not installed (pip install 'pocketproof[{extra}]')"
        return None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One prediction; float32 in and out."""
        values = self._program.predict(inputs)
        return {name: np.asarray(values[name], np.float32) for name in self._outputs}
