"""One picture to proposed labels and to how hard it was: the work of a pseudo-labelling job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import open_artifact
from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstancePrediction
from deploy.store import sha256_file
from deploy.tiled.detector import TiledDetector
from deploy.tiled.finish import finish
from deploy.tiled.raw import RawDetections
from deploy.vision.images import read_rgb
from training.data.pseudo.mining import Hardness, embedding, hardness
from training.data.pseudo.views import Look, View, look_at, together, votes


def make_proposer(settings: dict[str, Any]) -> Callable[[Path], dict[str, Any]]:
    """The function of a job; ``settings``: ``artifact``, ``tiling``, ``views``, ``thresholds``, ``low``."""
    tiling = Tiling.model_validate(settings["tiling"])
    low = float(settings["low"])
    detector = TiledDetector(open_artifact(Path(settings["artifact"])), tiling, confidence=low)
    views = tuple(View(scale, flip) for scale, flip in settings["views"])
    thresholds = np.array(settings["thresholds"], np.float32)

    def work(path: Path) -> dict[str, Any]:
        return propose(path, detector.raw, tiling, views, thresholds, low)

    return work


def propose(
    path: Path,
    look: Look,
    tiling: Tiling,
    views: Sequence[View],
    thresholds: NDArray[np.float32],
    low: float,
) -> dict[str, Any]:
    """What a detector proposes for one picture.

    Args:
        look: all boxes of a picture, tiles and whole picture, down to ``low``.
        thresholds: float32 (classes,), score from which a box is a label; below it, it is ignored.

    Returns:
        ``objects``, each with box, class, score, votes and ``ignore``, or ``None`` where the gate has no
        answer; the picture's hash, size, hardness and embedding. JSON types.
    """
    image = read_rgb(path)
    seen = look_at(image, look, views)
    found = finish(together(seen), tiling, low)
    facts: dict[str, Any] = {
        "sha256": sha256_file(path),
        "size": [image.shape[0], image.shape[1]],
        "embedding": [round(value, 6) for value in embedding(image).tolist()],
    }
    if found is None:
        return {**facts, "objects": None, "hardness": None}
    hard = _hardness(seen[0], found, tiling, thresholds, low)
    agreed = votes(found, seen, low).tolist()
    objects = [
        {
            "box": box,
            "class": klass,
            "score": score,
            "votes": vote,
            "ignore": score < thresholds[klass].item(),
        }
        for box, klass, score, vote in zip(
            found.boxes.tolist(), found.classes.tolist(), found.scores.tolist(), agreed, strict=True
        )
    ]
    return {**facts, "objects": objects, "hardness": {**vars(hard), "score": hard.score}}


def _hardness(
    raw: RawDetections,
    found: InstancePrediction,
    tiling: Tiling,
    thresholds: NDArray[np.float32],
    low: float,
) -> Hardness:
    """Judged on the plain view; tiles against the whole picture only where the tiling looks at both."""
    plain = tiling.model_copy(update={"gate": None})
    tiles = whole = None
    if tiling.full_image or tiling.gate is not None:
        tiles = finish(raw.sliced(), plain, thresholds)
        whole = finish(_as_tile(raw.full()), plain, thresholds)
    return hardness(found, thresholds, low, tiles, whole, len(thresholds))


def _as_tile(raw: RawDetections) -> RawDetections:
    """Boxes of the whole picture as those of one tile, so that they are merged like any."""
    return replace(raw, tiles=np.zeros_like(raw.tiles))
