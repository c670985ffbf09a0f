"""Objects drawn into their picture, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstancePrediction
from deploy.errors import DeployError
from deploy.store import write_atomic

_COLOURS = ((230, 60, 60), (60, 130, 240), (60, 180, 75), (240, 160, 30), (150, 80, 200), (20, 180, 190))


def draw(
    image: NDArray[np.uint8], found: InstancePrediction | None, names: tuple[str, ...]
) -> NDArray[np.uint8]:
    """A copy of the picture, uint8 (H, W, 3) RGB, with boxes, labels and scores, thin for small objects."""
    canvas = image.copy()
    if found is None:
        cv2.putText(canvas, "no answer", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _COLOURS[0], 1)
        return canvas
    for box, score, label in zip(found.boxes, found.scores, found.classes.tolist(), strict=True):
        left, top, right, bottom = (round(float(value)) for value in box)
        colour = _COLOURS[label % len(_COLOURS)]
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, 1)
        place = (left, top - 3 if top > 12 else bottom + 11)
        cv2.putText(canvas, f"{names[label]} {score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.35, colour, 1)
    return canvas


def write_drawing(folder: Path, name: str, image: NDArray[np.uint8]) -> None:
    """Write ``folder/name.jpg`` atomically; raises ``IMAGE-UNWRITABLE``."""
    ok, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise DeployError("IMAGE-UNWRITABLE", f"{name} could not be encoded.", "Leave --draw out.")
    write_atomic(folder / f"{name.replace('#', '-')}.jpg", encoded.tobytes())
