"""Raw boxes whose mistakes are known: objects cut by a seam, ghosts, swaps and what nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deploy.contracts.tiled_report import TiledProtocol
from deploy.contracts.tiling import Gate, Tiling
from deploy.decode.predictions import InstanceTruth
from deploy.metrics.tiled.figures import VERSIONS
from deploy.tiled.raw import FULL_IMAGE, RawDetections

SIZE = (100, 200)
CLASSES = ("person", "helmet")

Found = tuple[tuple[float, float, float, float], int, float, int]
"""Box, class, score and tile."""


def raw(*found: Found) -> RawDetections:
    """Boxes of one picture."""
    return RawDetections(
        np.asarray([each[0] for each in found], np.float32).reshape(-1, 4),
        np.asarray([each[2] for each in found], np.float32),
        np.asarray([each[1] for each in found], np.int64),
        np.asarray([each[3] for each in found], np.int32),
        SIZE,
    )


def truth(*objects: tuple[tuple[float, float, float, float], int], ignore: Sequence[bool] | None = None):  # type: ignore[no-untyped-def]
    """Objects of one picture."""
    return InstanceTruth(
        SIZE,
        np.asarray([each[0] for each in objects], np.float32).reshape(-1, 4),
        np.asarray([each[1] for each in objects], np.int64),
        ignore=None if ignore is None else np.asarray(ignore, np.bool_),
    )


SEAM = raw(
    ((95, 20, 105, 40), 0, 0.9, 0),  # one person on the seam, seen by both tiles
    ((95, 21, 105, 41), 0, 0.8, 1),
    ((95, 20, 100, 40), 0, 0.5, 0),  # and once more as the half that a tile holds
    ((95, 20, 105, 40), 0, 0.6, FULL_IMAGE),
)
GHOST = raw(
    ((10, 10, 20, 30), 0, 0.7, 0),  # a decoy that only tiles believe in
    ((150, 10, 160, 30), 1, 0.8, 1),
    ((150, 10, 160, 30), 1, 0.3, FULL_IMAGE),
)
EMPTY = raw(((60, 60, 70, 80), 0, 0.55, 0))

RAWS = [SEAM, GHOST, EMPTY]
TRUTHS = [truth(((95, 20, 105, 40), 0)), truth(((150, 10, 160, 30), 1)), truth()]


def protocol(**changes: object) -> TiledProtocol:
    """A protocol over the planted pictures."""
    facts: dict[str, object] = {
        "tiling": Tiling(width=110, height=100, overlap=0.1, gate=Gate(radius=1.0, confidence=0.05)),
        "classes": CLASSES,
        "confidence": (0.4, 0.4),
        "floor": 0.01,
        "iou": 0.5,
        "ignore_area": 0.0,
        "truth_sha256": "0" * 64,
        "pictures": 3,
        "metrics": VERSIONS,
    }
    return TiledProtocol.model_validate(facts | changes)
