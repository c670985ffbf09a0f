"""The tiles of one picture as a model takes them; the picture itself is prepared once."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tiling import Tiling
from deploy.tiled.raw import FULL_IMAGE
from deploy.tiled.windows import windows
from deploy.vision.geometry import Geometry
from deploy.vision.preprocess import normalise, prepare


@dataclass(frozen=True)
class TileInput:
    """One input: ``number`` of its window or ``FULL_IMAGE``; ``offset`` (x, y) of its first pixel in the
    picture; ``tensor`` float32 (1, C, height, width), overwritten by the next; ``geometry`` of the tile."""

    number: int
    offset: tuple[int, int]
    tensor: NDArray[np.float32]
    geometry: Geometry


class TileCutter:
    """Cuts pictures as a tiling says, for one preprocess block.

    A tile that has the input's size needs no resizing. The picture is then brought into the input's channels
    once, and each tile is read through a table of the 256 values that normalising gives: the very numbers
    that ``prepare`` computes, without a float copy of the whole picture.
    """

    def __init__(self, preprocess: Preprocess, tiling: Tiling) -> None:
        self._spec, self._tiling = preprocess, tiling
        self._table = _table(preprocess)
        self._buffer = np.empty((1, preprocess.channels, preprocess.height, preprocess.width), np.float32)
        same = (tiling.height, tiling.width) == (preprocess.height, preprocess.width)
        self._as_it_is = same and (preprocess.resize != "shortest_crop" or preprocess.crop_fraction == 1)

    def tiles(self, image: NDArray[np.uint8], wanted: Container[int] | None = None) -> Iterator[TileInput]:
        """The inputs of a picture, tile by tile; the whole picture last, if at all.

        Args:
            image: uint8 (H, W, 3) RGB.
            wanted: numbers of the tiles to make, ``FULL_IMAGE`` among them; all when ``None``.
        """
        planes = _planes(image, self._spec) if self._as_it_is else ()
        for number, (left, top, right, bottom) in enumerate(windows(image.shape[:2], self._tiling).tolist()):
            if wanted is not None and number not in wanted:
                continue
            size = (bottom - top, right - left)
            if planes and size == (self._spec.height, self._spec.width):
                for channel, plane in enumerate(planes):
                    cut = plane[top:bottom, left:right]
                    cv2.LUT(cut, self._table[channel], dst=self._buffer[0, channel])
                yield TileInput(number, (left, top), self._buffer, _unmoved(size))
            else:
                tensor, geometry = prepare(image[top:bottom, left:right], self._spec)
                yield TileInput(number, (left, top), tensor, geometry)
        whole = self._tiling.full_image or self._tiling.gate is not None
        if whole and (wanted is None or FULL_IMAGE in wanted):
            yield TileInput(FULL_IMAGE, (0, 0), *prepare(image, self._spec))


def _planes(image: NDArray[np.uint8], spec: Preprocess) -> tuple[NDArray[np.uint8], ...]:
    """The picture's channels in the input's order, uint8 (H, W) each."""
    if spec.color == "GRAY":
        return (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),)  # type: ignore[return-value]
    planes = cv2.split(image)
    return tuple(planes if spec.color == "RGB" else planes[::-1])  # type: ignore[arg-type]


def _table(spec: Preprocess) -> NDArray[np.float32]:
    """What each pixel value becomes in each channel: float32 (C, 256)."""
    values = np.tile(np.arange(256, dtype=np.float32), (1, spec.channels, 1, 1))
    if spec.input_kind == "tensor":
        normalise(values, spec)
    return values[0, :, 0]


def _unmoved(size: tuple[int, int]) -> Geometry:
    return Geometry(size, size, (1.0, 1.0), (0.0, 0.0))
