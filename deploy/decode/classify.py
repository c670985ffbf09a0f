"""Decode logits to class scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import ClassifyDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import ClassPrediction
from deploy.vision.geometry import Geometry


class ClassifyDecoder:
    """See ``deploy.decode.protocol.Decoder``."""

    def __init__(self, decode: ClassifyDecode, preprocess: Preprocess) -> None:
        self._output = decode.output

    def decode(self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry) -> ClassPrediction:
        """Logits (1, C) to softmax scores (C,)."""
        logits = np.asarray(outputs[self._output], np.float32).reshape(-1)
        powers = np.exp(logits - logits.max())
        return ClassPrediction(powers / powers.sum())

    def agreement(self, reference: ClassPrediction, other: ClassPrediction) -> float:
        """1 when both put the same class first, else 0."""
        return float(reference.scores.argmax() == other.scores.argmax())
