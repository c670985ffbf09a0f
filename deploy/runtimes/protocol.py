"""The socket of a runtime: a model file that takes and returns numpy arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tensor import TensorSpec


class Runtime(Protocol):
    """One loaded model. Constructing it is the load that is timed; ``run`` is the inference that is timed."""

    @staticmethod
    def prepare() -> None:
        """Import the framework, which an app has done before it loads a model: no part of the timed load."""
        ...

    def __init__(
        self, model: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], threads: int
    ) -> None: ...

    @staticmethod
    def why_not() -> str | None:
        """Why this machine cannot run such files (a sentence), or ``None`` when it can. Cheap: no imports."""
        ...

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """One inference. Inputs as the specs say (float32 where the spec is float16); outputs float32."""
        ...
