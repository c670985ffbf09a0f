"""Stands in for ``coremltools.libcoremlpython``, through which coremltools reaches Core ML on a Mac.

Everything above that module is coremltools' own code, unchanged: ``MLModel`` loads and predicts as on a Mac,
and ends up here, where ``export.mil`` answers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import DeployError
from export.mil.features import color_of
from export.mil.package import open_package, pick_function
from export.mil.program import MilProgram, State

MACOS = (15, 5)
_FLOAT16 = 10  # in MIL.proto
NEURAL_NETWORK = "neural network backend"
NEEDS_A_MAC = "needs a Mac"
CANNOT_PREDICT = "Unable to compute the prediction using ML Program"
NEWEST_SPECIFICATION = 9  # iOS 18, macOS 15


class Counts:
    """How often the present test asked Core ML for something."""

    predictions = 0
    refusals = 0
    half = False
    """Whether a program that was asked declares an fp16 value."""


class Mode:
    """The runner's numerics mode."""

    name = "storage16"


class StandInState:
    """What ``MLState`` holds."""

    def __init__(self, state: State) -> None:
        self.state = state

    def read_state(self, name: str) -> np.ndarray[Any, Any]:
        """The value of one state."""
        if name not in self.state.names():
            raise RuntimeError(f"There is no state called {name!r}.")
        return self.state.read(name)

    def write_state(self, name: str, value: np.ndarray[Any, Any]) -> None:
        """Replace the value of one state."""
        if name not in self.state.names():
            raise RuntimeError(f"There is no state called {name!r}.")
        try:
            self.state.write(name, np.asarray(value))
        except DeployError as error:
            raise RuntimeError(str(error)) from error


class StandInProxy:
    """What ``MLModel`` holds: a loaded model. Refuses with ``RuntimeError``, as Core ML does."""

    def __init__(self, path: str, units: str, function: str, hints: dict[str, str], asset: Any) -> None:
        if path.rstrip("/").endswith(".mlmodelc") or asset is not None:
            pytest.skip(f"{NEEDS_A_MAC}: a compiled model")
        try:
            package = open_package(Path(path))
            self._kind = "mlProgram"
        except DeployError as error:
            if error.error_id != "NOT-AN-ML-PROGRAM":
                Counts.refusals += 1
                raise RuntimeError(str(error)) from error
            self._kind = "other"
            return
        try:
            self._program = MilProgram.load(Path(path), mode=Mode.name, function=function or None)
        except DeployError as error:
            Counts.refusals += 1
            raise RuntimeError(str(error)) from error
        described = pick_function(package, function or None)
        Counts.half = Counts.half or _declares_half(described.block, described.message.inputs)
        self._colors = {name: color_of(each) for name, each in described.outputs.items()}

    @staticmethod
    def maximum_supported_specification_version() -> int:
        """The newest file format that this system reads."""
        return NEWEST_SPECIFICATION

    @staticmethod
    def compileModel(path: str) -> str:  # noqa: N802
        """Core ML's compiler."""
        pytest.skip(f"{NEEDS_A_MAC}: Core ML's compiler")

    @staticmethod
    def get_available_compute_devices() -> list[Any]:
        """Core ML's list of processors."""
        pytest.skip(f"{NEEDS_A_MAC}: compute devices")

    def get_compiled_model_path(self) -> str:
        """Where Core ML put the compiled model."""
        pytest.skip(f"{NEEDS_A_MAC}: a compiled model")

    def get_load_duration_in_nano_seconds(self) -> int:
        """How long Core ML took to load."""
        pytest.skip(f"{NEEDS_A_MAC}: Core ML's own clock")

    def get_last_predict_duration_in_nano_seconds(self) -> int:
        """How long Core ML took to predict."""
        pytest.skip(f"{NEEDS_A_MAC}: Core ML's own clock")

    def newState(self) -> StandInState:  # noqa: N802
        """Fresh states."""
        return StandInState(self._program.make_state())

    def batchPredict(self, many: list[dict[str, Any]]) -> list[dict[str, Any]]:  # noqa: N802
        """Predictions, one after the other."""
        return [self.predict(each, None) for each in many]

    def predict(self, data: dict[str, Any], state: StandInState | None = None) -> dict[str, Any]:
        """One prediction, in the Python types that coremltools returns on a Mac."""
        if self._kind != "mlProgram":
            pytest.skip(NEURAL_NETWORK)
        Counts.predictions += 1
        feed = {name: self._entering(name, value) for name, value in data.items()}
        try:
            found = self._program.predict(feed, None if state is None else state.state)
        except DeployError as error:
            Counts.refusals += 1
            words = self._refusal(feed) if error.error_id == "MIL-INPUT" else None
            raise RuntimeError(f"{CANNOT_PREDICT}: {words or error}") from error
        return {name: self._leaving(name, value) for name, value in found.items()}

    def _refusal(self, feed: dict[str, Any]) -> str | None:
        """In Core ML's words, why a shape was refused."""
        for feature in self._program.inputs:
            if feature.name not in feed:
                continue
            shape = np.shape(feed[feature.name])
            if feature.allows(shape):
                continue
            if feature.choices:
                sizes = " x ".join(map(str, shape))
                return f"MultiArray Shape ({sizes}) was not in enumerated set of allowed shapes"
            for axis, (size, (least, most)) in enumerate(zip(shape, feature.ranges, strict=False)):
                if size < least or (most is not None and size > most):
                    return f"Size ({size}) of dimension ({axis}) is not in allowed range ({least}..{most})"
        return None

    def _entering(self, name: str, value: Any) -> Any:
        """Core ML knows no scalars: one number goes in as a vector of one."""
        if isinstance(value, Image.Image):
            return value
        array = np.asarray(value)
        shape = next((each.shape for each in self._program.inputs if each.name == name), None)
        return array.reshape(shape) if array.size == 1 and shape in ((), (1,)) else array

    def _leaving(self, name: str, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        color = self._colors.get(name)
        if color is None:
            return value.reshape(1) if value.ndim == 0 else value
        return _picture(color, value)


def _declares_half(block: Any, inputs: Any) -> bool:
    made = [output for operation in block.operations for output in operation.outputs]
    nested = [each for operation in block.operations for each in operation.blocks]
    return any(each.type.tensorType.dataType == _FLOAT16 for each in [*inputs, *made]) or any(
        _declares_half(each, each.inputs) for each in nested
    )


def _picture(color: str, pixels: np.ndarray[Any, Any]) -> Image.Image:
    """A picture as Core ML's pixel buffers are handed to Python: RGBA, one byte gray or float gray."""
    if color == "GRAYSCALE_FLOAT16":
        return Image.fromarray(pixels[0, 0].astype(np.float32))
    whole = np.clip(np.rint(pixels[0]), 0, 255).astype(np.uint8)
    if color == "GRAYSCALE":
        return Image.fromarray(whole[0])
    return Image.fromarray(np.moveaxis(whole, 0, -1)).convert("RGBA")


def install() -> None:
    """Put the stand-in where coremltools looks, then let coremltools believe it runs on ``MACOS``."""
    module = ModuleType("coremltools.libcoremlpython")
    module._MLModelProxy = StandInProxy  # type: ignore[attr-defined]
    sys.modules["coremltools.libcoremlpython"] = module
    import coremltools.models.utils

    coremltools.models.utils._is_macos = lambda: True
    coremltools.models.utils._macos_version = lambda: MACOS
    believed = {
        "_IS_MACOS": True,
        "_is_macos": coremltools.models.utils._is_macos,
        "_macos_version": coremltools.models.utils._macos_version,
    }
    for name, loaded in list(sys.modules.items()):
        if name.startswith("coremltools"):
            for key, value in believed.items():
                if hasattr(loaded, key):
                    setattr(loaded, key, value)
