"""The tiles of a set of pictures: which there are, which are kept, and what each holds."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.console import progress
from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstanceTruth, Truth
from deploy.store import sha256_bytes
from deploy.tiled.windows import windows
from training.data.boxes.sides import boxes_of
from training.data.samples import Entry, EvaluationSet
from training.data.slicing.cut import MIN_VISIBLE, cut

_CACHE_BYTES = 1 << 30


class Pictures:
    """Pictures of a set, the last ones read kept in memory up to a limit. uint8 (H, W, 3) RGB each."""

    def __init__(self, source: EvaluationSet, limit_bytes: int = _CACHE_BYTES) -> None:
        self._source, self._room = source, limit_bytes
        self._kept: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        image = self._source.sample(index).image
        self._kept[index] = image
        self._room -= image.nbytes
        while self._room < 0 and len(self._kept) > 1:
            self._room += self._kept.popitem(last=False)[1].nbytes
        return image


@dataclass(frozen=True)
class Tile:
    """``picture``: its index; ``window``: int32 (4,), x1 y1 x2 y2 in picture pixels; ``truth``: what it
    shows, in tile pixels, with objects that its edge cuts too far marked ignored."""

    picture: int
    window: NDArray[np.int32]
    truth: InstanceTruth


@dataclass(frozen=True)
class TiledPictures:
    """A set of pictures and its tiles.

    ``truths``: boxes of whole pictures, by index; ``empty``: tiles in which nothing is; ``dropped``: those of
    them that are left out of ``tiles``.
    """

    source: EvaluationSet
    pictures: Pictures
    truths: tuple[InstanceTruth, ...]
    tiles: tuple[Tile, ...]
    empty: int
    dropped: int

    def as_set(self) -> EvaluationSet:
        """The tiles as samples of their own; a tile belongs to its picture's group."""
        ids, groups = self.source.ids, self.source.groups
        entries = [
            Entry(
                f"{ids[tile.picture]}@{','.join(map(str, tile.window.tolist()))}",
                groups[tile.picture],
                _reader(self.pictures, tile),
                _digest(self.pictures, tile),
            )
            for tile in self.tiles
        ]
        return EvaluationSet(
            self.source.layout,
            entries,
            labelled=True,
            class_names=self.source.class_names,
            notes=self.source.notes,
        )


def cut_pictures(
    source: EvaluationSet,
    tiling: Tiling | None,
    empty_share: float = 1.0,
    seed: int = 0,
    min_visible: float = MIN_VISIBLE,
) -> TiledPictures:
    """Cut every picture of a set.

    Args:
        source: labelled pictures.
        tiling: size and overlap of the tiles; ``None`` makes every whole picture a tile.
        empty_share: empty tiles to keep, as a share of the tiles that show an object (those in which
            everything is ignored are not empty); chosen by a hash of ``seed`` and name, so that adding a
            picture changes no other choice.
        seed: seed of that hash.
        min_visible: share of an object that a tile must show for it to count there.

    Raises:
        DeployError: ``DATA-UNLABELLED``.
    """
    pictures, truths = Pictures(source), []
    full: list[Tile] = []
    empty: list[tuple[bytes, Tile]] = []
    with progress("Cutting pictures", len(source)) as bar:
        for index, name in enumerate(source.ids):
            sample = source.sample(index)
            truth = boxes_of(sample.id, sample.truth)
            truths.append(truth)
            places = _places(truth.size, tiling)
            for window, shown in zip(places, cut(truth, places, min_visible), strict=True):
                tile = Tile(index, window, shown)
                if len(shown.classes):
                    full.append(tile)
                else:
                    text = f"{seed}\0{name}\0{window.tolist()}"
                    empty.append((hashlib.sha256(text.encode()).digest(), tile))
            bar.advance()
    kept = [tile for _, tile in sorted(empty, key=lambda pair: pair[0])]
    if empty_share < 1:
        kept = kept[: round(empty_share * len(full))]
    tiles = sorted([*full, *kept], key=lambda tile: (tile.picture, *tile.window[[1, 0]].tolist()))
    return TiledPictures(source, pictures, tuple(truths), tuple(tiles), len(empty), len(empty) - len(kept))


def _places(size: tuple[int, int], tiling: Tiling | None) -> NDArray[np.int32]:
    if tiling is None:
        return np.array([[0, 0, size[1], size[0]]], np.int32)
    return windows(size, tiling)


def _reader(pictures: Pictures, tile: Tile) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    return lambda: (_pixels(pictures, tile), tile.truth)


def _digest(pictures: Pictures, tile: Tile) -> Callable[[], str]:
    def digest() -> str:
        labels = tile.truth.boxes.tobytes() + tile.truth.classes.tobytes()
        return sha256_bytes(_pixels(pictures, tile).tobytes() + labels)

    return digest


def _pixels(pictures: Pictures, tile: Tile) -> NDArray[np.uint8]:
    left, top, right, bottom = tile.window.tolist()
    return np.ascontiguousarray(pictures[tile.picture][top:bottom, left:right])
