"""Pictures and masks kept in memory at training size, and the augmentation that draws from them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.console import progress
from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import MaskPrediction
from deploy.errors import DeployError
from deploy.vision.preprocess import place
from training.data.samples import EvaluationSet

_SPARE = 1.25
"""Pictures are kept a quarter larger than the input, so that turning and zooming do not blur them."""

_ZOOM = (0.8, 1.3)
_TURN = 0.3
_LIMIT_BYTES = 4 << 30


class MaskPool:
    """All training pictures of a set. ``pictures``: uint8 (N, S, S, 3) RGB; ``masks``: uint8 (N, S, S), 0 or
    255; S is a quarter larger than the model's input."""

    def __init__(self, source: EvaluationSet, spec: Preprocess) -> None:
        self._size = spec.height
        side = round(spec.height * _SPARE)
        if len(source) * side * side * 4 > _LIMIT_BYTES:
            raise DeployError(
                "DATA-TOO-LARGE",
                f"{len(source)} pictures at {side}x{side} pixels need more than {_LIMIT_BYTES >> 30} GiB.",
                "Train on fewer pictures, or with a smaller --size.",
            )
        stored = spec.model_copy(update={"height": side, "width": side})
        self.pictures = np.empty((len(source), side, side, 3), np.uint8)
        self.masks = np.empty((len(source), side, side), np.uint8)
        with progress("Reading pictures", len(source)) as bar:
            for index in range(len(source)):
                sample = source.sample(index)
                if not isinstance(sample.truth, MaskPrediction):
                    raise DeployError(
                        "DATA-UNLABELLED",
                        f"{sample.id} has no mask, and masks cannot be learned without.",
                        "Lay the data out as images/ and masks/, or as JPEGImages/ and Annotations/.",
                    )
                self.pictures[index] = place(sample.image, stored)[0]
                full = sample.truth.mask.astype(np.uint8) * 255
                if full.shape != (side, side):
                    full = cv2.resize(full, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
                self.masks[index] = full
                bar.advance()

    def draw(
        self, indices: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Turned, zoomed, shifted, mirrored and recoloured samples.

        Args:
            indices: int64 (B,).
            rng: the only source of randomness.

        Returns:
            uint8 (B, size, size, 3) RGB and uint8 (B, size, size) of 0 or 1.
        """
        size = self._size
        pictures = np.empty((len(indices), size, size, 3), np.uint8)
        masks = np.empty((len(indices), size, size), np.uint8)
        for row, index in enumerate(indices):
            matrix = self._matrix(rng)
            picture = _warp(self.pictures[index], matrix, size)
            gain = rng.uniform(0.8, 1.2) * rng.uniform(0.92, 1.08, 3)
            bias = rng.uniform(-15, 15)
            pictures[row] = np.clip(picture * gain + bias, 0, 255).astype(np.uint8)
            masks[row] = _warp(self.masks[index], matrix, size) > 127
        return pictures, masks

    def _matrix(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Float64 (2, 3), stored pixels to input pixels."""
        side = self.pictures.shape[1]
        angle, zoom = rng.uniform(-_TURN, _TURN), self._size / side * rng.uniform(*_ZOOM)
        cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
        turn = np.array([[cosine, -sine], [sine, cosine]])
        if rng.random() < 0.5:
            turn[:, 0] *= -1
        target = (self._size - 1) / 2 + rng.uniform(-0.1, 0.1, 2) * self._size
        shift = target - turn @ np.full(2, (side - 1) / 2)
        return np.concatenate([turn, shift[:, None]], axis=1)


def _warp(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    return cv2.warpAffine(  # type: ignore[return-value]
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
