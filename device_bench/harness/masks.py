"""From a prediction to the one foreground mask that jitter is measured on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import Decode
from deploy.decode.predictions import InstancePrediction, MaskPrediction, Prediction


def class_indices(decode: Decode, names: tuple[str, ...] | None) -> NDArray[np.int64] | None:
    """Indices, int64 (C,), of the classes whose instances count; ``None`` counts all of them."""
    if names is None or decode.kind != "yolo":
        return None
    return np.array([decode.class_names.index(name) for name in names], np.int64)


def to_mask(prediction: Prediction, classes: NDArray[np.int64] | None) -> NDArray[np.bool_] | None:
    """The foreground as bool (H, W); instances are joined. ``None`` when the model gives no masks."""
    if isinstance(prediction, MaskPrediction):
        return prediction.mask
    if isinstance(prediction, InstancePrediction) and prediction.masks is not None:
        chosen = prediction.masks
        if classes is not None:
            chosen = chosen[np.isin(prediction.classes, classes)]
        return np.asarray(chosen.any(axis=0), np.bool_)
    return None
