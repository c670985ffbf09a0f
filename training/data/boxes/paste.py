"""Objects cut out of training pictures and pasted into other tiles, with their boxes.

ultralytics' ``copy_paste`` needs polygons and does nothing for boxes; this needs boxes alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.nms import box_iou
from deploy.decode.predictions import InstanceTruth
from training.data.boxes.tiles import TiledPictures

_MARGIN = 0.25
"""Surroundings taken along, as a share of each side: they fade into the new place, the object does not."""

_TRIES = 10
_SCALE = (0.85, 1.2)
_LEAST = 2.0
"""Objects whose sides are shorter than this many pixels after scaling are not pasted."""


@dataclass(frozen=True)
class _Known:
    """An object that may be cut out: picture and box, float32 (4,) in picture pixels."""

    picture: int
    box: NDArray[np.float32]


class ObjectBank:
    """Objects of the training pictures by class, drawn as often for a rare class as for a common one.

    Only objects are taken that count, are whole, and whose surroundings show no part of another.
    """

    def __init__(self, cut: TiledPictures) -> None:
        self._pictures = cut.pictures
        known: dict[int, list[_Known]] = {}
        for index, truth in enumerate(cut.truths):
            for row in _free(truth):
                known.setdefault(int(truth.classes[row]), []).append(_Known(index, truth.boxes[row]))
        self._known = {klass: known[klass] for klass in sorted(known)}

    @property
    def counts(self) -> dict[int, int]:
        """Objects to draw from, by class."""
        return {klass: len(found) for klass, found in self._known.items()}

    def paste(
        self,
        image: NDArray[np.uint8],
        truth: InstanceTruth,
        scale: tuple[float, float],
        rng: np.random.Generator,
        most: int,
    ) -> tuple[NDArray[np.uint8], InstanceTruth]:
        """Paste one to ``most`` objects where nothing is.

        Args:
            image: uint8 (H, W, 3) RGB, a tile as the model takes it.
            truth: what it shows.
            scale: input pixels of a picture pixel, (x, y).
            rng: the only source of randomness.
            most: objects at most; one finds no place after ten tries is left out.

        Returns:
            A new picture, and the truth with the pasted objects behind its own.
        """
        image = image.copy()
        boxes, classes = [truth.boxes], [truth.classes]
        for _ in range(int(rng.integers(1, most + 1)) if self._known else 0):
            klass = list(self._known)[int(rng.integers(len(self._known)))]
            known = self._known[klass][int(rng.integers(len(self._known[klass])))]
            zoom = float(rng.uniform(*_SCALE))
            placed = self._paste_one(
                image, known, (scale[0] * zoom, scale[1] * zoom), np.concatenate(boxes), rng
            )
            if placed is not None:
                boxes.append(placed[None])
                classes.append(np.array([klass], np.int64))
        added = sum(map(len, classes)) - len(truth.classes)
        ignore = None if truth.ignore is None else np.append(truth.ignore, np.zeros(added, np.bool_))
        return image, InstanceTruth(truth.size, np.concatenate(boxes), np.concatenate(classes), None, ignore)

    def _paste_one(
        self,
        image: NDArray[np.uint8],
        known: _Known,
        scale: tuple[float, float],
        taken: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> NDArray[np.float32] | None:
        """Paste in place; the new box, or ``None`` where there is no room."""
        height, width = image.shape[:2]
        picture = self._pictures[known.picture]
        left, top, right, bottom = _around(known.box, picture.shape[:2])
        sides = (known.box[2:] - known.box[:2]) * scale
        size = (max(1, round((right - left) * scale[0])), max(1, round((bottom - top) * scale[1])))
        if min(sides) < _LEAST or size[0] >= width or size[1] >= height:
            return None
        # The box inside the pasted patch, by the patch's true scale after rounding to whole pixels.
        grown = np.array([size[0] / (right - left), size[1] / (bottom - top)] * 2, np.float32)
        inner = (known.box - np.array([left, top, left, top], np.float32)) * grown
        for _ in range(_TRIES):
            x, y = int(rng.integers(0, width - size[0])), int(rng.integers(0, height - size[1]))
            patch = np.array([[x, y, x + size[0], y + size[1]]], np.float32)
            if not (box_iou(patch, taken) > 0).any():
                break
        else:
            return None
        pixels = cv2.resize(picture[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR)
        cover = _cover(inner, size)[..., None]
        place = image[y : y + size[1], x : x + size[0]]
        place[:] = np.rint(place * (1 - cover) + pixels * cover).astype(np.uint8)
        return inner + np.array([x, y, x, y], np.float32)


def _free(truth: InstanceTruth) -> NDArray[np.intp]:
    """Objects that count, inside the picture, and with nothing else in their surroundings."""
    height, width = truth.size
    wide = np.array([_around(box, truth.size) for box in truth.boxes], np.float32).reshape(-1, 4)
    touching = (box_iou(wide, truth.boxes) > 0).sum(axis=1) == 1
    whole = (truth.boxes[:, :2] > 0).all(axis=1) & (truth.boxes[:, 2:] < (width, height)).all(axis=1)
    counted = np.ones(len(truth.boxes), np.bool_) if truth.ignore is None else ~truth.ignore
    return np.flatnonzero(touching & whole & counted)


def _around(box: NDArray[np.float32], size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Whole pixels around a box with its margin, inside the picture: x1 y1 x2 y2."""
    margin = np.maximum((box[2:] - box[:2]) * _MARGIN, 1)
    low, high = np.floor(box[:2] - margin), np.ceil(box[2:] + margin)
    return (
        max(int(low[0]), 0),
        max(int(low[1]), 0),
        min(int(high[0]), size[1]),
        min(int(high[1]), size[0]),
    )


def _cover(inner: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Float32 (h, w): 1 over the box, falling to 0 at the patch's edge."""
    axes = []
    for axis in (0, 1):
        at = np.arange(size[axis], dtype=np.float32) + 0.5
        before = at / max(float(inner[axis]), 0.5)
        after = (size[axis] - at) / max(float(size[axis] - inner[axis + 2]), 0.5)
        axes.append(np.clip(np.minimum(before, after), 0, 1))
    return np.asarray(axes[1][:, None] * axes[0][None], np.float32)
