"""The motion gate, by choice, for cameras that stand still: tiles that have not changed are not run again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.nms import box_iou
from deploy.decode.predictions import InstancePrediction
from deploy.tiled.detector import TiledDetector
from deploy.tiled.finish import finish
from deploy.tiled.raw import FULL_IMAGE, RawDetections, joined
from deploy.tiled.windows import windows

CELL = 8
"""Side in pixels of the cells whose mean grey is compared: noise shrinks to an eighth, a person does not."""

_NOISE = 4.0


@dataclass
class TileCount:
    """How much work the gate saved: tiles of all frames, and those whose boxes were taken over."""

    tiles: int = 0
    skipped: int = 0

    @property
    def share_skipped(self) -> float:
        """0..1."""
        return self.skipped / self.tiles if self.tiles else 0.0


@dataclass
class _Memory:
    """What is known from earlier frames: cells as each tile was last run on, its age and its boxes."""

    size: tuple[int, int]
    ages: dict[int, int] = field(default_factory=dict)
    cells: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    boxes: dict[int, RawDetections] = field(default_factory=dict)


class MotionGate:
    """A detector over the frames of one camera that does not move.

    A tile is run again when a cell of it differs from the frame it was last run on (not from the last frame:
    slow changes add up), by more than ``threshold`` grey levels and the noise that the tile itself shows. The
    change that all its cells share is light, not motion, and is taken off first. Its answer can differ from
    that of the whole detector: ``recall_cost`` measures by how much.

    Args:
        detector: whose tiling decides the tiles.
        threshold: grey levels, 0..255.
        refresh: a tile is run again after this many frames in any case.
    """

    def __init__(self, detector: TiledDetector, threshold: float = 8.0, refresh: int = 250) -> None:
        self._detector, self._threshold, self._refresh = detector, threshold, refresh
        self._memory: _Memory | None = None
        self.count = TileCount()

    def raw(self, image: NDArray[np.uint8]) -> RawDetections:
        """Boxes of all tiles of the next frame, uint8 (H, W, 3) RGB; of tiles that stand still, the old ones.

        A frame of another size begins anew.
        """
        size = (image.shape[0], image.shape[1])
        lying = windows(size, self._detector.tiling)
        cells = _cells(image)
        memory = self._memory
        if memory is None or memory.size != size:
            memory = self._memory = _Memory(size)
        changed = []
        for number, window in enumerate(lying.tolist()):
            now = _part(cells, window)
            age = memory.ages.get(number, self._refresh)
            if age >= self._refresh or self._moved(now, memory.cells[number]):
                changed.append(number)
                memory.cells[number], age = now, 0
            memory.ages[number] = age + 1
        self.count.tiles += len(lying)
        self.count.skipped += len(lying) - len(changed)
        return self._looked(image, memory, changed, len(lying))

    def detect(self, image: NDArray[np.uint8]) -> InstancePrediction | None:
        """Merged and gated objects of the next frame; see ``TiledDetector.detect``."""
        return finish(self.raw(image), self._detector.tiling, self._detector.confidence)

    def _looked(
        self, image: NDArray[np.uint8], memory: _Memory, changed: list[int], count: int
    ) -> RawDetections:
        """Run what has changed, and with anything the whole picture; take over the rest."""
        if changed:
            wanted = {*changed, FULL_IMAGE}
            found = self._detector.raw(image, wanted)
            for number in wanted:
                memory.boxes[number] = found.take(np.flatnonzero(found.tiles == number))
        return joined([memory.boxes[number] for number in (*range(count), FULL_IMAGE)])

    def _moved(self, now: NDArray[np.float32], before: NDArray[np.float32]) -> bool:
        difference = now - before
        difference = np.abs(difference - np.median(difference))
        noise = 1.4826 * float(np.median(difference))
        # Noise may double the threshold and no more: where everything moves, everything looks like noise.
        return float(difference.max()) > self._threshold + min(_NOISE * noise, self._threshold)


@dataclass(frozen=True)
class RecallCost:
    """``kept``: share of the whole detector's objects that the gate's answers have too (same class, IoU at
    least ``iou``); ``objects``: how many those were; ``share_skipped``: of all tiles."""

    kept: float
    objects: int
    share_skipped: float
    iou: float


def recall_cost(
    frames: Iterable[NDArray[np.uint8]], detector: TiledDetector, gate: MotionGate, iou: float = 0.5
) -> RecallCost:
    """Run every frame with and without the gate, and count what the gate no longer finds."""
    objects = kept = 0
    for frame in frames:
        wanted, found = detector.detect(frame), gate.detect(frame)
        if wanted is None:
            continue
        objects += len(wanted.boxes)
        kept += 0 if found is None else _matched(wanted, found, iou)
    return RecallCost(kept / objects if objects else 1.0, objects, gate.count.share_skipped, iou)


def _matched(wanted: InstancePrediction, found: InstancePrediction, iou: float) -> int:
    """Objects with a counterpart of their own, best first."""
    if not len(found.boxes):
        return 0
    overlap = box_iou(wanted.boxes, found.boxes)
    overlap[wanted.classes[:, None] != found.classes[None]] = 0
    count = 0
    for row in overlap:
        best = int(row.argmax())
        if row[best] >= iou:
            overlap[:, best] = 0
            count += 1
    return count


def _cells(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean grey of the cells of a picture: float32 (ceil(H / 8), ceil(W / 8))."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = (-(-side // CELL) for side in grey.shape)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _part(cells: NDArray[np.float32], window: list[int]) -> NDArray[np.float32]:
    """The cells that a window x1 y1 x2 y2 touches, in memory of their own."""
    left, top = window[0] // CELL, window[1] // CELL
    return cells[top : -(-window[3] // CELL), left : -(-window[2] // CELL)].copy()
