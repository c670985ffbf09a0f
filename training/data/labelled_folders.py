"""Open a folder of labelled objects, whichever layout it has, outlines included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.vision.images import list_images
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture
from training.data.layouts.coco import LAYOUT as COCO
from training.data.layouts.coco import read_coco
from training.data.layouts.yolo import LAYOUT as YOLO
from training.data.layouts.yolo import read_labels
from training.data.layouts.yolo_labels import Label
from training.data.layouts.yolo_names import read_names

_SIDEWAYS = range(5, 9)
"""EXIF orientations that swap width and height."""


def open_labelled(root: Path) -> LabelledFolder:
    """The labelled pictures of a YOLO or a COCO folder.

    Raises:
        DeployError: ``DATA-MISSING``, ``DATA-KIND``, and what the layout raises.
    """
    if not root.is_dir():
        raise DeployError("DATA-MISSING", f"The data folder {root} does not exist.", "Check the path.")
    if YOLO.recognises(root):
        return _read_yolo(root)
    if COCO.recognises(root):
        return read_coco(root)
    raise DeployError(
        "DATA-KIND",
        f"{root} holds no labelled boxes: neither images/ beside labels/ nor an annotation file.",
        "Name a folder in YOLO or COCO layout.",
    )


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) after EXIF rotation, from the file's header alone; raises ``IMAGE-UNREADABLE``."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in _SIDEWAYS
    # Once imported, ultralytics makes PIL look for a reader of HEIF files when it knows no other.
    except (OSError, ImportError, UnidentifiedImageError) as error:
        raise DeployError(
            "IMAGE-UNREADABLE",
            f"{path} is not a picture that can be decoded.",
            "Remove or replace that file.",
        ) from error
    return (width, height) if turned else (height, width)


def to_object(label: Label, size: tuple[int, int]) -> LabelledObject:
    """A YOLO label in pixels of a picture of (height, width) ``size``."""
    points = label.points * (size[1], size[0])
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    parts = (points,) if label.polygon else ()
    return LabelledObject(label.klass, (left, top, right, bottom), parts, label.ignore)


def to_label(found: LabelledObject, size: tuple[int, int]) -> Label:
    """The way back: several outlines become one polygon, whose bridges run there and back and cancel out."""
    scale = np.array((size[1], size[0]), np.float64)
    parts = outlines(found)
    if not parts:
        return Label(found.klass, np.array(found.box).reshape(2, 2) / scale, False, found.ignore)
    home = parts[0][:1]
    closed = [np.concatenate([part, part[:1], home]) for part in parts[1:]]
    first = [parts[0], home] if closed else [parts[0]]
    return Label(found.klass, np.concatenate([*first, *closed]) / scale, True, found.ignore)


def outlines(found: LabelledObject) -> tuple[NDArray[np.float64], ...]:
    """Outlines of an object; those of a run-length mask are its parts' outer pixels (holes are filled)."""
    if found.rle is None:
        return found.parts
    import cv2
    from hotcoco import mask as codec

    mask = np.ascontiguousarray(codec.decode(found.rle), np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return tuple(each.reshape(-1, 2).astype(np.float64) for each in contours if len(each) >= 3)


def _read_yolo(root: Path) -> LabelledFolder:
    YOLO.check_part(root)
    names = read_names(root)
    pictures, top = [], -1
    for path in list_images(root / "images"):
        name = path.relative_to(root / "images").with_suffix("").as_posix()
        files = [root / part / f"{name}.txt" for part in ("labels", "ignore")]
        labels = read_labels(files[0], files[1], len(names) if names else None)
        size = picture_size(path)
        pictures.append(LabelledPicture(name, path, size, tuple(to_object(label, size) for label in labels)))
        top = max(top, *(label.klass for label in labels), -1)
    return LabelledFolder(names or tuple(str(klass) for klass in range(top + 1)), tuple(pictures))
