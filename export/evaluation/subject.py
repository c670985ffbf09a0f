"""What is being judged: a model file with its manifest, and how its doors differ from the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import Exported

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Doors:
    """How a file's inputs and outputs differ from what its preprocess block makes and its decoder reads.

    ``outputs`` maps the file's output names to the reference's. ``channels_last``: the picture goes in as
    (1, H, W, C). ``dtype`` is what the picture is cast to, ``None`` for float32 as everywhere else.
    """

    outputs: Mapping[str, str] = field(default_factory=dict)
    channels_last: bool = False
    dtype: str | None = None

    def inward(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Prepared inputs, float32 (1, C, H, W), as the file takes them."""
        return {name: self._picture(value) for name, value in inputs.items()}

    def outward(self, outputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """The file's outputs under the reference's names; half precision comes out as float32."""
        return {
            self.outputs.get(name, name): value.astype(np.float32) if value.dtype == np.float16 else value
            for name, value in outputs.items()
        }

    def _picture(self, value: NDArray[np.generic]) -> NDArray[np.generic]:
        turned = value.transpose(0, 2, 3, 1) if self.channels_last else value
        return np.ascontiguousarray(turned if self.dtype is None else turned.astype(self.dtype))


@dataclass(frozen=True)
class Subject:
    """One file to judge. ``taints`` stand in front of its name wherever its row is printed."""

    exported: Exported
    doors: Doors = field(default_factory=Doors)
    taints: tuple[str, ...] = ()
