"""YOLO label files: boxes and polygons, possibly mixed in one file, checked line by line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError

_SLACK = 0.01
"""How far outside 0..1 a coordinate may lie, as in ultralytics; it is then clipped."""


@dataclass(frozen=True)
class Label:
    """One object. ``points``: float64 (P, 2), x y as fractions of the picture, of a polygon or of the two
    corners of a box; ``ignore``: it neither helps nor harms."""

    klass: int
    points: NDArray[np.float64]
    polygon: bool
    ignore: bool = False


def parse_labels(text: str, where: Path, classes: int | None) -> tuple[Label, ...]:
    """Read a label file.

    A line is ``class cx cy w h`` or ``class x1 y1 x2 y2 x3 y3 ...``, in fractions of the picture. Empty
    lines are skipped, and exact repetitions count once.

    Args:
        text: the file's content.
        where: its path, for messages.
        classes: number of classes, or ``None`` where it is not known.

    Raises:
        DeployError: ``LABEL-BROKEN`` or ``CLASS-RANGE``, naming file and line.
    """
    labels: dict[str, Label] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        key = " ".join(fields)
        if fields and key not in labels:
            labels[key] = _parse_line(fields, f"{where}, line {number}", classes)
    return tuple(labels.values())


def to_truth(
    labels: tuple[Label, ...], index: list[int] | None, size: tuple[int, int], with_masks: bool
) -> InstanceTruth:
    """Labels to pixels.

    Args:
        labels: N parsed labels.
        index: the class index to use for each class of the file, or ``None`` to keep them.
        size: the picture's (height, width).
        with_masks: whether to rasterise polygons.
    """
    height, width = size
    boxes = np.zeros((len(labels), 4), np.float32)
    masks = np.zeros((len(labels), height, width), np.bool_) if with_masks else None
    for row, label in enumerate(labels):
        pixels = label.points * (width, height)
        boxes[row] = (*pixels.min(axis=0), *pixels.max(axis=0))
        if masks is not None:
            masks[row] = rasterise(pixels, size)
    classes = np.array([index[label.klass] if index else label.klass for label in labels], np.int64)
    ignore = np.array([label.ignore for label in labels], np.bool_)
    return InstanceTruth(size, boxes, classes, masks, ignore if ignore.any() else None)


def label_lines(boxes: NDArray[np.float32], classes: NDArray[np.int64], size: tuple[int, int]) -> str:
    """The text of a label file for boxes, with eight decimals: a box comes back to 1e-5 pixels.

    Args:
        boxes: float32 (N, 4), x1 y1 x2 y2 in pixels.
        classes: int64 (N,).
        size: the picture's (height, width).
    """
    scale = np.array([size[1], size[0]], np.float64)
    low, high = boxes[:, :2].astype(np.float64) / scale, boxes[:, 2:].astype(np.float64) / scale
    rows = np.concatenate([(low + high) / 2, high - low], axis=1)
    lines = [
        " ".join([str(klass), *(f"{value:.8f}" for value in row)])
        for klass, row in zip(classes.tolist(), rows.tolist(), strict=True)
    ]
    return "".join(f"{line}\n" for line in lines)


def label_line(label: Label) -> str:
    """One line of a label file; nine digits keep a box of 8K pictures to a millionth of a pixel."""
    if label.polygon:
        values = label.points.ravel()
    else:
        low, high = label.points
        values = np.concatenate([(low + high) / 2, high - low])
    return f"{label.klass} " + " ".join(f"{value:.9g}" for value in values.tolist()) + "\n"


def rasterise(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill a polygon by the even-odd rule: bool (H, W), the pixels whose centres lie inside.

    The bridges by which several parts are written as one polygon run there and back, and cancel out.
    (``cv2.fillPoly`` takes the outline's pixels in as well: 11 % too large on small COCO objects.)

    Args:
        points: float64 (P, 2), x y in pixels, pixel centres at half integers.
        size: (height, width).
    """
    height, width = size
    border = np.zeros((height, width + 1), np.uint8)
    here = points - 0.5
    for (x0, y0), (x1, y1) in zip(here, np.roll(here, -1, axis=0), strict=True):
        low, high = max(math.ceil(min(y0, y1)), 0), min(math.ceil(max(y0, y1)), height)
        if low < high:
            rows = np.arange(low, high)
            columns = np.ceil(x0 + (rows - y0) * ((x1 - x0) / (y1 - y0)))
            border[rows, np.clip(columns, 0, width).astype(np.intp)] ^= 1
    return np.bitwise_xor.accumulate(border, axis=1)[:, :width].astype(np.bool_)


def _parse_line(fields: list[str], where: str, classes: int | None) -> Label:
    try:
        values = [float(field) for field in fields]
    except ValueError as error:
        raise _broken(where, f"{error}") from error
    if not all(math.isfinite(value) for value in values):
        raise _broken(where, "a value is not a finite number")
    if len(values) != 5 and (len(values) < 7 or len(values) % 2 == 0):
        raise _broken(where, f"{len(values)} values are neither a box (5) nor a polygon (7, 9, 11 ...)")
    klass = int(values[0])
    if klass != values[0] or klass < 0:
        raise _broken(where, f"the class {fields[0]} is not a whole number from 0 on")
    if classes is not None and klass >= classes:
        raise DeployError(
            "CLASS-RANGE",
            f"{where}: class {klass} is out of range; there are {classes} classes (0 to {classes - 1}).",
            "Mend the label, or the names in data.yaml.",
        )
    if min(values[1:]) < -_SLACK or max(values[1:]) > 1 + _SLACK:
        raise _broken(where, "coordinates must be fractions of the picture, 0 to 1")
    if len(values) == 5:
        x, y, w, h = values[1:]
        if w <= 0 or h <= 0:
            raise _broken(where, "a box needs a width and a height above 0")
        corners = np.array([[x - w / 2, y - h / 2], [x + w / 2, y + h / 2]])
        return Label(klass, np.clip(corners, 0, 1), polygon=False)
    return Label(klass, np.clip(np.array(values[1:]).reshape(-1, 2), 0, 1), polygon=True)


def _broken(where: str, why: str) -> DeployError:
    return DeployError(
        "LABEL-BROKEN", f"{where}: {why}.", "Mend that line: class cx cy w h, or class x1 y1 x2 y2 x3 y3 ..."
    )
