"""Outputs nothing is known about: handed on as they are, compared by direction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import TensorsDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import TensorPrediction
from deploy.vision.geometry import Geometry


class TensorsDecoder:
    """See ``deploy.decode.protocol.Decoder``."""

    def __init__(self, decode: TensorsDecode, preprocess: Preprocess | None) -> None:
        del decode, preprocess

    def decode(
        self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry | None
    ) -> TensorPrediction:
        """The outputs themselves."""
        return TensorPrediction(dict(outputs))

    def agreement(self, reference: TensorPrediction, other: TensorPrediction) -> float:
        """Smallest cosine similarity over the outputs, clipped to 0..1; two all-zero outputs agree."""
        return min(
            (_cosine(value, other.tensors[name]) for name, value in reference.tensors.items()), default=1.0
        )


def _cosine(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    left, right = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    norm = float(np.linalg.norm(left) * np.linalg.norm(right))
    if norm == 0.0:
        return float(not left.any() and not right.any())
    return float(np.clip(left @ right / norm, 0.0, 1.0))
