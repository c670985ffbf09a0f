"""COCO annotation files: found, read, checked, and turned into labelled pictures."""

from __future__ import annotations

import gc
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture

NAMES = ("annotations.json", "_annotations.coco.json")
"""Where our own writer and Roboflow put the file, beside the pictures."""


def find_json(root: Path) -> Path | None:
    """The one annotation file of a folder: a name of ``NAMES``, or all there is in ``annotations/``."""
    for name in NAMES:
        if (root / name).is_file():
            return root / name
    files = sorted((root / "annotations").glob("*.json")) if (root / "annotations").is_dir() else []
    return files[0] if len(files) == 1 else None


def load_json(path: Path) -> dict[str, Any]:
    """Parse an annotation file and check that it is one.

    The collector is off meanwhile: it is over half of the time that 100,000 annotations take.

    Raises:
        DeployError: ``FILE-UNREADABLE``, ``JSON-BROKEN`` or ``COCO-BROKEN``.
    """
    import orjson

    collecting = gc.isenabled()
    gc.disable()
    try:
        payload = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from error
    except orjson.JSONDecodeError as error:
        raise DeployError(
            "JSON-BROKEN", f"{path} is not complete JSON: {error}.", "Export the annotations again."
        ) from error
    finally:
        if collecting:
            gc.enable()
    keys = ("images", "annotations", "categories")
    if not isinstance(payload, dict) or not all(isinstance(payload.get(key), list) for key in keys):
        raise broken(path, "it lacks one of the lists images, annotations and categories")
    return payload


def class_table(payload: dict[str, Any], where: Path) -> tuple[tuple[str, ...], dict[int, int]]:
    """Class names in the order of their ids, and the index of every id; raises ``COCO-BROKEN``.

    Roboflow's class 0, the name of the whole data set, is dropped where no object has it.
    """
    try:
        listed = {category["id"]: str(category["name"]) for category in payload["categories"]}
        ids = sorted(listed)
        if (
            ids
            and ids[0] == 0
            and any(
                "supercategory" in c and c["supercategory"] == "none"
                for c in payload["categories"]
                if c["id"] == 0
            )
        ):
            used = any(annotation["category_id"] == 0 for annotation in payload["annotations"])
            ids = ids if used else ids[1:]
    except (KeyError, TypeError) as error:
        raise broken(where, f"a category or an annotation lacks {error}") from error
    return tuple(listed[key] for key in ids), {key: index for index, key in enumerate(ids)}


def read_pictures(path: Path, images: Path) -> LabelledFolder:
    """Everything in an annotation file, pictures in the file's order.

    Args:
        path: the JSON file.
        images: the folder that ``file_name`` is relative to.

    Raises:
        DeployError: ``COCO-BROKEN`` naming the annotation, and what ``load_json`` raises.
    """
    payload = load_json(path)
    names, index = class_table(payload, path)
    objects: dict[int, list[LabelledObject]] = defaultdict(list)
    sizes: dict[int, tuple[int, int]] = {}
    pictures = []
    try:
        for image in payload["images"]:
            sizes[image["id"]] = (int(image["height"]), int(image["width"]))
        for annotation in payload["annotations"]:
            objects[annotation["image_id"]].append(_object(annotation, index, sizes, path))
        for image in payload["images"]:
            file = Path(str(image["file_name"]))
            if file.is_absolute() or ".." in file.parts:
                raise broken(path, f"the picture {file} lies outside its folder")
            pictures.append(
                LabelledPicture(
                    file.with_suffix("").as_posix(),
                    images / file,
                    sizes[image["id"]],
                    tuple(objects[image["id"]]),
                )
            )
    except (KeyError, TypeError, ValueError) as error:
        raise broken(path, f"an entry lacks or spoils {error}") from error
    if len(sizes) != len(pictures):
        raise broken(path, "two pictures have the same id")
    return LabelledFolder(names, tuple(pictures))


def broken(where: Path, why: str) -> DeployError:
    """The error of an annotation file that cannot be used."""
    return DeployError(
        "COCO-BROKEN", f"{where}: {why}.", "Mend that entry, or export the annotations again as COCO 1.0."
    )


def _object(
    annotation: dict[str, Any], index: dict[int, int], sizes: dict[int, tuple[int, int]], where: Path
) -> LabelledObject:
    name = f"annotation {annotation.get('id', '?')}"
    if annotation["image_id"] not in sizes:
        raise broken(where, f"{name} is of picture {annotation['image_id']}, which is not listed")
    if annotation["category_id"] not in index:
        raise broken(where, f"{name} has category {annotation['category_id']}, which is not listed")
    box = [float(value) for value in annotation["bbox"]]
    if len(box) != 4 or not all(math.isfinite(value) for value in box) or min(box[2:]) < 0:
        raise broken(where, f"{name} has the box {annotation['bbox']}, not x y width height")
    left, top, width, height = box
    ignore = bool(annotation.get("iscrowd")) or bool(annotation.get("ignore"))
    outline, size = annotation.get("segmentation") or (), sizes[annotation["image_id"]]
    rle = _run_lengths(outline, size, where, name) if isinstance(outline, dict) else None
    parts = _parts(outline, where, name) if rle is None else ()
    corners = (left, top, left + width, top + height)
    return LabelledObject(index[annotation["category_id"]], corners, parts, ignore, rle)


def _parts(outline: Any, where: Path, name: str) -> tuple[NDArray[np.float64], ...]:
    parts = []
    for polygon in outline:
        if len(polygon) < 6 or len(polygon) % 2:
            raise broken(where, f"{name} has a polygon of {len(polygon)} numbers")
        parts.append(np.array(polygon, np.float64).reshape(-1, 2))
    return tuple(parts)


def _run_lengths(outline: dict[str, Any], size: tuple[int, int], where: Path, name: str) -> dict[str, Any]:
    """A run-length mask with compressed counts."""
    from hotcoco import mask as codec

    if list(outline.get("size", ())) != list(size):
        raise broken(where, f"{name} has a mask of size {outline.get('size')}; the picture is {list(size)}")
    return {**codec.fr_py_objects(outline, *size)} if isinstance(outline.get("counts"), list) else outline
