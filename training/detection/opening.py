"""The tiles of a tiled run: opened the same way for training and, later, for calibration."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.contracts.tiling import Tiling
from deploy.store import canonical_json, sha256_bytes
from training.data.boxes.sides import box_sides
from training.data.boxes.tiles import TiledPictures, cut_pictures
from training.data.samples import EvaluationSet
from training.detection.settings import TiledOptions
from training.settings import TrainSettings


@dataclass(frozen=True)
class TiledSides:
    """``training``: pictures and the tiles kept of them; ``validation``: every tile of the other side;
    ``tiling``: ``None`` where whole pictures are looked at; ``sha256``: of both sides' contents."""

    training: TiledPictures
    validation: EvaluationSet
    tiling: Tiling | None
    sha256: str


def open_sides(settings: TrainSettings) -> TiledSides:
    """Split, then cut; raises what ``box_sides`` and ``cut_pictures`` raise."""
    training, validation = box_sides(settings.data, settings.seed)
    options = TiledOptions(**settings.options)
    tiling = options.tiling(settings.size)
    return TiledSides(
        training=_training(training, settings),
        validation=cut_pictures(validation, tiling, min_visible=options.min_visible).as_set(),
        tiling=tiling,
        sha256=sha256_bytes(canonical_json([training.sha256, validation.sha256]).encode()),
    )


def training_tiles(settings: TrainSettings) -> EvaluationSet:
    """The tiles that a run learned from, as pictures of their own."""
    return _training(box_sides(settings.data, settings.seed)[0], settings).as_set()


def _training(pictures: EvaluationSet, settings: TrainSettings) -> TiledPictures:
    options = TiledOptions(**settings.options)
    tiling = options.tiling(settings.size)
    return cut_pictures(pictures, tiling, options.empty, settings.seed, options.min_visible)
