"""COCO annotations to YOLO label files without an object for every box: data sets of millions go this way."""

from __future__ import annotations

import os
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.layouts.coco_json import broken, class_table


def write_box_labels(payload: dict[str, Any], where: Path, labels: Path) -> tuple[int, int]:
    """One label file for every picture with a box; the same text that ultralytics' ``convert_coco`` writes.

    Crowds and boxes without area are left out, exact repetitions count once, six digits are kept.
    (Classes are numbered in the order of their ids; ultralytics takes the id less one.)

    Args:
        payload: an annotation file, as ``load_json`` gives it.
        where: its path, for messages.
        labels: an empty folder.

    Returns:
        Boxes written, and boxes left out.

    Raises:
        DeployError: ``COCO-BROKEN``.
    """
    try:
        _, index = class_table(payload, where)
        images = {image["id"]: image for image in payload["images"]}
        annotations = [each for each in payload["annotations"] if not each.get("iscrowd")]
        owners = [each["image_id"] for each in annotations]
        classes = [index[each["category_id"]] for each in annotations]
        boxes = np.array([each["bbox"] for each in annotations], np.float64).reshape(-1, 4)
        sizes = {key: (image["width"], image["height"]) for key, image in images.items()}
        extent = np.array([sizes[key] for key in owners], np.float64).reshape(-1, 2)
    except (KeyError, TypeError, ValueError) as error:
        raise broken(where, f"an entry lacks or spoils {error}") from error
    if not np.isfinite(boxes).all() or (extent <= 0).any():
        raise broken(where, "a box or a picture's size is no number above 0")
    rows = _centred(boxes, extent)
    good = np.asarray((rows[:, 2:] > 0).all(axis=1), np.bool_).tolist()
    lines = [
        (owner, f"{klass} {x:g} {y:g} {w:g} {h:g}\n")
        for owner, klass, (x, y, w, h), keep in zip(owners, classes, rows.tolist(), good, strict=True)
        if keep
    ]
    lines.sort(key=itemgetter(0))  # stable: a picture's boxes stay in their order
    made, root = {""}, f"{labels}/"
    for owner, group in groupby(lines, key=itemgetter(0)):
        stem = _stem(str(images[owner]["file_name"]), where)
        folder = stem.rpartition("/")[0]
        if folder not in made:
            (labels / folder).mkdir(parents=True, exist_ok=True)
            made.add(folder)
        text = "".join(dict.fromkeys([line for _, line in group]))
        # Strings and descriptors: paths and text files took half of the time of a data set.
        handle = os.open(f"{root}{stem}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        os.write(handle, text.encode())
        os.close(handle)
    return len(lines), len(payload["annotations"]) - len(lines)


def _centred(boxes: NDArray[np.float64], extent: NDArray[np.float64]) -> NDArray[np.float64]:
    """x y w h in pixels to cx cy w h in fractions, float64 (N, 4), in ultralytics' order of steps."""
    middle = (boxes[:, :2] + boxes[:, 2:] / 2) / extent
    return np.concatenate([middle, boxes[:, 2:] / extent], axis=1)


def _stem(name: str, where: Path) -> str:
    """A picture's relative path without suffix; it must not lead out of its folder."""
    if name.startswith("/") or ".." in name.split("/"):
        raise broken(where, f"the picture {name} lies outside its folder")
    cut = name.rfind(".")
    return name[:cut] if cut > name.rfind("/") + 1 else name
