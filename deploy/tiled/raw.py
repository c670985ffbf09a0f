"""Every box that the tiles of one picture gave, before anything is merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FULL_IMAGE = -1
"""The tile number of boxes that were found in the whole picture."""


@dataclass(frozen=True)
class RawDetections:
    """N boxes in picture coordinates, tile by tile; a tile's own suppression has been done.

    ``boxes``: float32 (N, 4) x1 y1 x2 y2 in pixels; ``scores``: float32 (N,); ``classes``: int64 (N,);
    ``tiles``: int32 (N,), the window each comes from, or ``FULL_IMAGE``; ``size``: (height, width).
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    tiles: NDArray[np.int32]
    size: tuple[int, int]

    def above(self, confidence: float | NDArray[np.float32]) -> RawDetections:
        """Boxes with at least this score; an array (classes,) gives every class its own."""
        least = confidence if isinstance(confidence, float) else confidence[self.classes]
        return self.take(np.flatnonzero(self.scores >= least))

    def sliced(self) -> RawDetections:
        """Boxes of tiles alone."""
        return self.take(np.flatnonzero(self.tiles != FULL_IMAGE))

    def full(self) -> RawDetections:
        """Boxes of the whole picture alone."""
        return self.take(np.flatnonzero(self.tiles == FULL_IMAGE))

    def take(self, kept: NDArray[np.intp]) -> RawDetections:
        """The chosen boxes, in the given order."""
        return RawDetections(
            self.boxes[kept], self.scores[kept], self.classes[kept], self.tiles[kept], self.size
        )


def nothing(size: tuple[int, int]) -> RawDetections:
    """No boxes in a picture of (height, width)."""
    empty = np.zeros(0, np.float32)
    return RawDetections(
        np.zeros((0, 4), np.float32), empty, np.zeros(0, np.int64), np.zeros(0, np.int32), size
    )


def joined(parts: Sequence[RawDetections]) -> RawDetections:
    """The boxes of several parts of one picture, part after part."""
    return RawDetections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.tiles for part in parts]),
        parts[0].size,
    )
