"""Run the captured fp32 torch program: the desktop reference that every export is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError


class TorchProgramRuntime:
    """A loaded ``torch.export`` program; see ``deploy.runtimes.protocol.Runtime``."""

    @staticmethod
    def prepare() -> None:
        """Import torch and what reads programs."""
        import torch._dynamo
        import torch.export

        del torch

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        try:
            self._module = load_program(model).module()
        except Exception as error:
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"torch {torch.__version__} cannot load {model.name}: {str(error).splitlines()[0]}",
                "Export it again, or check the versions with: deploy doctor",
            ) from error
        self._inputs = [spec.name for spec in inputs]
        self._outputs = [spec.name for spec in outputs]
        self._torch = torch

    @staticmethod
    def why_not() -> str | None:
        """``None`` when torch is installed."""
        if find_spec("torch") is None:
            return "torch is not installed (pip install 'pocketproof[train]')"
        return None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One inference; float32 in and out."""
        torch = self._torch
        arguments = [torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in self._inputs]
        with torch.inference_mode():
            values = self._module(*arguments)
        flat = values if isinstance(values, (tuple, list)) else (values,)
        return {name: value.numpy() for name, value in zip(self._outputs, flat, strict=True)}


def load_program(model: Path) -> Any:
    """A saved program; one that suppresses boxes itself needs torchvision's op, which is costly to import."""
    import torch

    try:
        return torch.export.load(str(model))
    except Exception:
        if find_spec("torchvision") is None:
            raise
        import torchvision

        del torchvision
        return torch.export.load(str(model))
