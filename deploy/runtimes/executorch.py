"""Run a ``.pte`` file with ExecuTorch's own Python binding (which takes torch tensors)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError


class ExecuTorchRuntime:
    """A loaded ``.pte``; see ``deploy.runtimes.protocol.Runtime``.

    XNNPACK brings its own thread pool, sized here to ``threads``. The extension module is used directly:
    ``executorch.runtime``, its thin wrapper, imports the whole exporter, which takes three times as long.
    """

    @staticmethod
    def prepare() -> None:
        """Import torch, whose libraries the binding needs, and the binding."""
        import torch
        from executorch.extension.pybindings import _C  # type: ignore[attr-defined]

        del torch, _C

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import torch
        from executorch.extension.pybindings import _C  # type: ignore[attr-defined]

        torch.set_num_threads(threads)
        _C._unsafe_reset_threadpool(threads)
        try:
            self._module = _C._load_for_executorch(str(model))
            outputs_found = self._module.method_meta("forward").num_outputs()
        except Exception as error:
            backends = ", ".join(_C._get_registered_backend_names())
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"ExecuTorch cannot load {model.name} here: {str(error).splitlines()[0]} "
                f"(back ends in this build: {backends})",
                "Export it again, or check the versions with: deploy doctor",
            ) from error
        if outputs_found != len(outputs):
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"{model.name} has {outputs_found} outputs; its manifest says {len(outputs)}.",
                "Export it again.",
            )
        self._inputs = [spec.name for spec in inputs]
        self._outputs = [spec.name for spec in outputs]
        self._from_numpy = torch.from_numpy

    @staticmethod
    def why_not() -> str | None:
        """``None`` when ExecuTorch is installed."""
        if find_spec("executorch") is None:
            return "executorch is not installed (pip install 'pocketproof[executorch]')"
        return None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One inference; float32 in and out. Outputs are copies (ExecuTorch reuses its memory)."""
        arguments = [self._from_numpy(np.ascontiguousarray(inputs[name])) for name in self._inputs]
        values = self._module.forward(arguments)
        return {name: value.numpy().copy() for name, value in zip(self._outputs, values, strict=True)}
