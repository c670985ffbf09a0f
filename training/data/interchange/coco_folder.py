"""Write labelled pictures as a COCO folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deploy.store import new_folder
from training.data.labelled import LabelledFolder, LabelledObject


def write_coco(found: LabelledFolder, out: Path, told: Callable[[], object] = lambda: None) -> None:
    """``images/`` and ``annotations.json``; what is ignored has ``iscrowd`` and ``ignore`` set.

    Args:
        told: called after every picture.

    Raises:
        DeployError: ``OUTPUT-EXISTS``.
    """
    import orjson

    with new_folder(out) as work:
        for picture in found.pictures:
            target = work / "images" / f"{picture.name}{picture.path.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture.path, target)
            told()
        (work / "annotations.json").write_bytes(orjson.dumps(coco_payload(found)))


def coco_payload(found: LabelledFolder) -> dict[str, Any]:
    """The annotation file of a folder, ids from 1 on."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(found.pictures, start=1):
        height, width = picture.size
        file = f"{picture.name}{picture.path.suffix}"
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        for each in picture.objects:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **_entry(each)})
    categories = [
        {"id": index, "name": name, "supercategory": ""}
        for index, name in enumerate(found.class_names, start=1)
    ]
    return {
        "info": {},
        "licenses": [],
        "categories": categories,
        "images": images,
        "annotations": annotations,
    }


def _entry(found: LabelledObject) -> dict[str, Any]:
    left, top, right, bottom = found.box
    outline: Any = found.rle or [part.ravel().tolist() for part in found.parts]
    if isinstance(outline, dict) and isinstance(outline["counts"], bytes):
        outline = {**outline, "counts": outline["counts"].decode()}
    entry = {
        "category_id": found.klass + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": _area(found),
        "segmentation": outline,
        "iscrowd": int(found.ignore),
    }
    return {**entry, "ignore": 1} if found.ignore else entry


def _area(found: LabelledObject) -> float:
    """Square pixels of the outline where there is one, else of the box."""
    if found.rle is not None:
        from hotcoco import mask as codec

        return float(codec.area(found.rle))
    if not found.parts:
        left, top, right, bottom = found.box
        return (right - left) * (bottom - top)
    total = 0.0
    for part in found.parts:
        x, y = part.T
        total += abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    return total
