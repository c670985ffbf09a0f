"""The socket of a decoder: raw outputs to a prediction, and how far two predictions agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import Prediction
from deploy.vision.geometry import Geometry


class Decoder(Protocol):
    """Built from its ``Decode`` block; numpy and OpenCV only, because phones' desktop twin runs it too."""

    def decode(self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry) -> Prediction:
        """Outputs by name (leading batch of 1) to a prediction at the picture's own size."""
        ...

    def agreement(self, reference: Any, other: Any) -> float:
        """Task-level agreement of two predictions of the same picture, 0..1 (1 is identical)."""
        ...
