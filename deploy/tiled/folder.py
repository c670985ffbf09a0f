"""Sliced inference as a folder job: one loaded detector in each process, one line of objects a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deploy.artifacts import open_artifact
from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstancePrediction
from deploy.jobs.protocol import Work
from deploy.tiled.detector import TiledDetector
from deploy.tiled.draw import draw, write_drawing
from deploy.tiled.motion import MotionGate
from deploy.tiled.sources import Picture, Seen, Stretch, seen


def detection(
    folder: Path, tiling: Tiling, confidence: float | None, drawings: Path | None, motion: float | None
) -> Work:
    """The work of finding objects with the artifact in ``folder``.

    Args:
        drawings: where annotated pictures go, if anywhere.
        motion: threshold of the motion gate for videos; ``None`` runs every tile of every frame.
    """
    exported = open_artifact(folder)
    return Work(
        "deploy.tiled.folder:open_detector",
        {
            "artifact": str(folder.resolve()),
            "model": exported.artifact.model_sha256,
            "tiling": tiling.to_json(),
            "confidence": confidence,
            "drawings": None if drawings is None else str(drawings.resolve()),
            "motion": motion,
        },
    )


def open_detector(settings: dict[str, Any]) -> Callable[[Picture | Stretch], list[dict[str, Any]]]:
    """The function of one process: an item to the rows of its pictures."""
    exported = open_artifact(Path(settings["artifact"]))
    detector = TiledDetector(
        exported, Tiling.model_validate(settings["tiling"]), confidence=settings["confidence"]
    )
    names: tuple[str, ...] = getattr(exported.artifact.decode, "class_names", ())
    drawings = None if settings["drawings"] is None else Path(settings["drawings"])

    def look(payload: Picture | Stretch) -> list[dict[str, Any]]:
        eye: TiledDetector | MotionGate = detector
        if settings["motion"] is not None and isinstance(payload, Stretch):
            eye = MotionGate(detector, settings["motion"])
        rows = []
        for each in seen(payload):
            found = eye.detect(each.image)
            if drawings is not None:
                write_drawing(drawings, each.name, draw(each.image, found, names))
            rows.append(_row(each, found, names))
        if rows and isinstance(eye, MotionGate):
            rows[0]["tiles_skipped"], rows[0]["tiles"] = eye.count.skipped, eye.count.tiles
        return rows

    return look


def _row(each: Seen, found: InstancePrediction | None, names: tuple[str, ...]) -> dict[str, Any]:
    """One picture's line; ``objects`` is ``null`` where the gate says that there is no answer."""
    height, width = each.image.shape[:2]
    objects = None
    if found is not None:
        facts = zip(found.boxes, found.scores, found.classes.tolist(), strict=True)
        objects = [
            {
                "box": [_short(value) for value in box],
                "score": _short(score),
                "class": label,
                "label": names[label],
            }
            for box, score, label in facts
        ]
    return {
        "picture": each.name,
        "sha256": each.sha256,
        "width": width,
        "height": height,
        "objects": objects,
    }


def _short(value: np.float32) -> float:
    """The shortest decimal that is still this float32."""
    return float(str(value))
