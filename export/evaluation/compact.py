"""Predictions on their way between processes: masks as bits, an eighth of their size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstancePrediction, MaskPrediction, Prediction


@dataclass(frozen=True)
class Compact:
    """A prediction without its mask, and the mask's bits and shape (``None`` where there is none)."""

    rest: Prediction
    bits: NDArray[np.uint8] | None
    shape: tuple[int, ...]


def pack(prediction: Prediction) -> Compact:
    """Make a prediction small."""
    if isinstance(prediction, MaskPrediction):
        empty = MaskPrediction(np.zeros((0, 0), np.bool_))
        return Compact(empty, np.packbits(prediction.mask), prediction.mask.shape)
    if isinstance(prediction, InstancePrediction) and prediction.masks is not None:
        return Compact(replace(prediction, masks=None), None, ())
    return Compact(prediction, None, ())


def unpack(compact: Compact) -> Prediction:
    """The prediction again; instances come back without masks (their agreement is judged on boxes)."""
    if compact.bits is None:
        return compact.rest
    count = int(np.prod(compact.shape))
    return MaskPrediction(np.unpackbits(compact.bits, count=count).astype(np.bool_).reshape(compact.shape))
