"""Decode one-channel logits to a foreground mask at picture size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import BinaryMaskDecode
from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import MaskPrediction
from deploy.vision.geometry import Geometry, to_picture_plane


class BinaryMaskDecoder:
    """See ``deploy.decode.protocol.Decoder``."""

    def __init__(self, decode: BinaryMaskDecode, preprocess: Preprocess) -> None:
        self._output = decode.output
        # sigmoid(x) > t is x > logit(t): no sigmoid is needed, and resizing logits is what the models learn.
        self._logit = float(np.log(decode.threshold / (1 - decode.threshold)))

    def decode(self, outputs: Mapping[str, NDArray[np.generic]], geometry: Geometry) -> MaskPrediction:
        """Logits (1, 1, h, w) to a bool mask (H, W): resample to the picture, threshold."""
        logits = np.asarray(outputs[self._output], np.float32).reshape(outputs[self._output].shape[-2:])
        return MaskPrediction(to_picture_plane(logits, geometry) > self._logit)

    def agreement(self, reference: MaskPrediction, other: MaskPrediction) -> float:
        """IoU of the two masks; two empty masks agree."""
        union = np.count_nonzero(reference.mask | other.mask)
        return 1.0 if union == 0 else np.count_nonzero(reference.mask & other.mask) / union
