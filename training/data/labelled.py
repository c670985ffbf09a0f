"""Labelled objects as every format has them: a class, a box in pixels, outlines where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelledObject:
    """One object of a picture.

    ``box``: x1 y1 x2 y2 in pixels; ``parts``: outlines, float64 (P, 2) x y in pixels each, none where only
    the box is known; ``rle``: a COCO run-length mask instead of outlines; ``ignore``: it is there, and
    neither asked for nor wrong when found.
    """

    klass: int
    box: tuple[float, float, float, float]
    parts: tuple[NDArray[np.float64], ...] = ()
    ignore: bool = False
    rle: dict[str, Any] | None = None


@dataclass(frozen=True)
class LabelledPicture:
    """One picture and its objects. ``name``: relative path without suffix; ``size``: (height, width)."""

    name: str
    path: Path
    size: tuple[int, int]
    objects: tuple[LabelledObject, ...]


@dataclass(frozen=True)
class LabelledFolder:
    """The pictures of one data set, in a stable order, and the names of their classes by index."""

    class_names: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]
