"""What a decoded output is, and what ground truth is: plain arrays in picture coordinates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MaskPrediction:
    """One foreground mask, also used as ground truth. ``mask``: bool (H, W) at picture size."""

    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class ClassPrediction:
    """``scores``: float32 (C,), softmax probabilities."""

    scores: NDArray[np.float32]


@dataclass(frozen=True)
class ClassTruth:
    """``label``: index of the true class."""

    label: int


@dataclass(frozen=True)
class InstancePrediction:
    """Detected objects, best score first.

    ``boxes``: float32 (N, 4) x1 y1 x2 y2 in pixels; ``scores``: float32 (N,); ``classes``: int64 (N,).
    ``masks``: bool (N, H, W) at picture size, or ``None`` for a detector without masks.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class InstanceTruth:
    """True objects, same conventions. ``masks`` is ``None`` where only boxes are labelled.

    ``size`` is the picture's (height, width). ``ignore``: bool (N,), objects that are there and neither asked
    for nor wrong when found: crowds, and what a tile's edge cut; ``None`` where every object counts.
    """

    size: tuple[int, int]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None
    ignore: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class TensorPrediction:
    """Outputs of a model nothing is known about, by name."""

    tensors: dict[str, NDArray[np.generic]] = field(default_factory=dict)


Prediction = MaskPrediction | ClassPrediction | InstancePrediction | TensorPrediction
Truth = MaskPrediction | ClassTruth | InstanceTruth
