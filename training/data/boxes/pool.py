"""Training tiles as the model takes them: shifted, zoomed, mirrored, recoloured, with objects pasted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import InstanceTruth
from deploy.vision.preprocess import place
from training.data.boxes.paste import ObjectBank
from training.data.boxes.tiles import TiledPictures
from training.data.slicing.cut import MIN_VISIBLE, cut

_SHIFT = 0.15
"""A tile moves by at most this share of its sides."""

_MOST_PASTED = 3


@dataclass(frozen=True)
class Drawn:
    """One sample. ``image``: uint8 (S, S, 3) RGB; ``truth``: in input pixels; ``pasted``: how many of
    its last objects were pasted in."""

    image: NDArray[np.uint8]
    truth: InstanceTruth
    pasted: int


class TilePool:
    """Draws augmented tiles.

    Args:
        cut: the training pictures and their tiles.
        spec: how a tile becomes the model's input; the same steps as on a phone.
        zoom: tiles are enlarged or reduced by up to this factor, ``1`` for never.
        mirror: half of the tiles are mirrored.
        paste: share of tiles into which objects are pasted.
        min_visible: as for cutting.
    """

    def __init__(
        self,
        cut: TiledPictures,
        spec: Preprocess,
        *,
        zoom: float,
        mirror: bool,
        paste: float,
        min_visible: float = MIN_VISIBLE,
    ) -> None:
        self._cut, self._spec = cut, spec
        self._zoom, self._mirror, self._paste = zoom, mirror, paste
        self._min_visible = min_visible
        self.bank = ObjectBank(cut)

    def draw(self, index: int, rng: np.random.Generator) -> Drawn:
        """Tile ``index``, augmented; everything random comes from ``rng``."""
        tile = self._cut.tiles[index]
        picture = self._cut.pictures[tile.picture]
        window = self._window(tile.window, picture.shape[:2], rng)
        left, top, right, bottom = window.tolist()
        whole = self._cut.truths[tile.picture]
        shown = cut(whole, window[None], self._min_visible)[0]
        image, geometry = place(np.ascontiguousarray(picture[top:bottom, left:right]), self._spec)
        scale = np.asarray(geometry.scale * 2, np.float32)
        boxes = shown.boxes * scale + np.asarray(geometry.offset * 2, np.float32)
        side = (self._spec.height, self._spec.width)
        truth = InstanceTruth(side, boxes, shown.classes, None, shown.ignore)
        if self._mirror and rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            flipped = truth.boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (side[1], 0, side[1], 0)
            truth = InstanceTruth(side, flipped.astype(np.float32), truth.classes, None, truth.ignore)
        before = len(truth.classes)
        if rng.random() < self._paste:
            image, truth = self.bank.paste(image, truth, geometry.scale, rng, _MOST_PASTED)
        gain = rng.uniform(0.75, 1.3) * rng.uniform(0.9, 1.1, 3)
        bias = rng.uniform(-15, 15)
        coloured = np.clip(image * gain + bias, 0, 255).astype(np.uint8)
        return Drawn(coloured, truth, len(truth.classes) - before)

    def _window(
        self, window: NDArray[np.int32], size: tuple[int, ...], rng: np.random.Generator
    ) -> NDArray[np.int32]:
        """The window moved and resized, inside the picture: int32 (4,)."""
        zoom = np.exp(rng.uniform(-1, 1) * np.log(self._zoom))
        sides = (window[2:] - window[:2]).astype(np.float64)
        limit = np.array([size[1], size[0]])
        grown = np.minimum(np.maximum(np.rint(sides / zoom), 8), limit)
        centre = (window[:2] + window[2:]) / 2 + rng.uniform(-_SHIFT, _SHIFT, 2) * sides
        low = np.clip(np.rint(centre - grown / 2), 0, limit - grown)
        return np.asarray(np.concatenate([low, low + grown]), np.int32)
