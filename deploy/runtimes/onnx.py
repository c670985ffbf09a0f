"""Run an ONNX file with ONNX Runtime on the CPU, without spinning threads."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError


class OnnxRuntime:
    """An ONNX Runtime session; see ``deploy.runtimes.protocol.Runtime``."""

    @staticmethod
    def prepare() -> None:
        """Import ONNX Runtime."""
        import onnxruntime

        del onnxruntime

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads made a 41 ms model take 78 ms on shared cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"ONNX Runtime {ort.__version__} cannot load {model.name}: {str(error).splitlines()[0]}",
                "Export it again, or check the versions with: deploy doctor",
            ) from error
        self._names = [spec.name for spec in outputs]

    @staticmethod
    def why_not() -> str | None:
        """``None`` when ONNX Runtime is installed."""
        if find_spec("onnxruntime") is None:
            return "onnxruntime is not installed (pip install 'pocketproof[bench]')"
        return None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One inference; float32 in and out."""
        values: list[Any] = self._session.run(self._names, dict(inputs))
        return dict(zip(self._names, values, strict=True))
