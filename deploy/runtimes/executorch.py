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

    XNNPACK brings its own thread pool, sized here to ``threads`` where the binding allows it.
    """

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import torch
        from executorch.runtime import Runtime, Verification

        torch.set_num_threads(threads)
        _set_pool(threads)
        backends = Runtime.get().backend_registry.registered_backend_names
        try:
            program = Runtime.get().load_program(model, verification=Verification.InternalConsistency)
            needed = program.metadata("forward")
            self._method = program.load_method("forward")
        except Exception as error:
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"ExecuTorch cannot load {model.name} here: {str(error).splitlines()[0]} "
                f"(back ends in this build: {', '.join(backends)})",
                "Export it again, or check the versions with: deploy doctor",
            ) from error
        if self._method is None or needed.num_outputs() != len(outputs):
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"{model.name} has {needed.num_outputs()} outputs; its manifest says {len(outputs)}.",
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
        values = self._method.execute(arguments)
        return {name: value.numpy().copy() for name, value in zip(self._outputs, values, strict=True)}


def _set_pool(threads: int) -> None:
    """Size XNNPACK's thread pool; older bindings have no such call, and then keep their default."""
    from executorch.extension.pybindings import portable_lib

    setter = getattr(portable_lib, "_unsafe_reset_threadpool", None)
    if setter is not None:
        setter(threads)
