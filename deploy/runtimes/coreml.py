"""Run a Core ML package with Apple's own framework; only a Mac has it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError


class CoreMLRuntime:
    """A loaded ``.mlpackage``; see ``deploy.runtimes.protocol.Runtime``.

    Image inputs are given as float32 (1, 3, H, W) RGB values in 0..255, like every other runtime's input.
    """

    @staticmethod
    def prepare() -> None:
        """Import coremltools."""
        import coremltools

        del coremltools

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None:
        import coremltools as ct

        try:
            self._model = ct.models.MLModel(str(model), compute_units=ct.ComputeUnit.ALL)
        except Exception as error:
            raise DeployError(
                "MODEL-UNLOADABLE",
                f"Core ML cannot load {model.name}: {str(error).splitlines()[0]}",
                "Export it again, or check the versions with: deploy doctor",
            ) from error
        description = self._model.get_spec().description
        self._images = {feature.name for feature in description.input if feature.type.HasField("imageType")}
        self._outputs = [spec.name for spec in outputs]

    @staticmethod
    def why_not() -> str | None:
        """``None`` on a Mac with coremltools."""
        if sys.platform != "darwin":
            return "Core ML predicts only on a Mac; here its program cannot be run yet"
        if find_spec("coremltools") is None:
            return "coremltools is not installed (pip install 'pocketproof[coreml]')"
        return None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One prediction; float32 in and out."""
        from PIL import Image

        features = {
            name: Image.fromarray(value[0].transpose(1, 2, 0).astype(np.uint8))
            if name in self._images
            else value
            for name, value in inputs.items()
        }
        values = self._model.predict(features)
        return {name: np.asarray(values[name], np.float32) for name in self._outputs}
