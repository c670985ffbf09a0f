"""Tiles written as ultralytics reads them: pictures, label files, ``data.yaml``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from deploy.console import progress
from deploy.store import new_folder, write_atomic
from deploy.vision.images import write_png
from training.data.boxes.sides import boxes_of
from training.data.layouts.yolo_labels import label_lines
from training.data.samples import EvaluationSet

PAINT = 114
"""Grey level of ultralytics' padding, which its models learn to ignore."""


def write_yolo(out: Path, sides: dict[str, EvaluationSet], names: tuple[str, ...]) -> Path:
    """Write every side (``train``, ``val``), whole or not at all; returns ``data.yaml``.

    ultralytics cannot ignore an object, so what is to be ignored is painted over.
    """
    with new_folder(out) as folder:
        for side, samples in sides.items():
            with progress(f"Writing tiles ({side})", len(samples)) as bar:
                for index in range(len(samples)):
                    _write(folder / side, f"{index:06d}", samples, index)
                    bar.advance()
        listed = "".join(f"  {index}: {json.dumps(name)}\n" for index, name in enumerate(names))
        parts = "".join(f"{side}: {side}/images\n" for side in sides)
        write_atomic(folder / "data.yaml", f"path: {out.resolve()}\n{parts}names:\n{listed}")
    return out / "data.yaml"


def _write(folder: Path, name: str, samples: EvaluationSet, index: int) -> None:
    sample = samples.sample(index)
    truth = boxes_of(sample.id, sample.truth)
    image = sample.image.copy()
    skip = np.zeros(len(truth.classes), np.bool_) if truth.ignore is None else truth.ignore
    for box in truth.boxes[skip]:
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.ceil(box[2:]).astype(int)
        image[top:bottom, left:right] = PAINT
    write_png(folder / "images" / f"{name}.png", image)
    lines = label_lines(truth.boxes[~skip], truth.classes[~skip], truth.size)
    write_atomic(folder / "labels" / f"{name}.txt", lines)
