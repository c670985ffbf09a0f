"""Layout ``yolo``: ``images/`` and ``labels/`` with one text file a picture; names from ``data.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import Truth
from deploy.errors import DeployError
from deploy.vision.images import list_images, read_rgb
from training.data.groups import groups_of
from training.data.layouts.protocol import digest_files, map_classes
from training.data.layouts.yolo_labels import Label, parse_labels, to_truth
from training.data.layouts.yolo_names import read_names
from training.data.samples import Entry, EvaluationSet

_SPLITS = ("train", "valid", "val", "test")


class YoloLayout:
    """Detection and segmentation data as ultralytics and Roboflow write it.

    A picture without a label file is background (as ultralytics has it), and the notes count such pictures.
    Masks are given only when every object of the folder is a polygon: a box is no mask. A folder ``ignore/``
    beside ``labels/``, of the same form, holds objects that are ignored (``deploy data slice`` writes it for
    what a tile's edge cut; ultralytics does not read it).
    """

    name = "yolo"
    kinds = ("yolo",)

    def recognises(self, root: Path) -> bool:
        """``images`` beside ``labels``, here or in the splits below."""
        return _has_labels(root) or bool(_splits(root))

    def check_part(self, root: Path) -> None:
        """Raise ``DATA-SPLITS`` where ``root`` holds several data sets."""
        if not _has_labels(root):
            splits = _splits(root)
            raise DeployError(
                "DATA-SPLITS",
                f"{root} holds several parts ({', '.join(splits)}); each is a data set of its own.",
                f"Name the part to use, such as {root / splits[-1]}",
            )

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """Every picture with its objects; all label files are read and checked now."""
        self.check_part(root)
        found = read_names(root)
        pictures = list_images(root / "images")
        ids = [path.relative_to(root / "images").with_suffix("").as_posix() for path in pictures]
        # Not with_suffix: stems of Roboflow hold dots.
        files = [root / "labels" / f"{name}.txt" for name in ids]
        known = len(found or class_names or ()) or None
        ignored = [root / "ignore" / f"{name}.txt" for name in ids]
        parsed = [read_labels(path, left, known) for path, left in zip(files, ignored, strict=True)]
        index = None
        if found is not None:
            class_names, index = map_classes(found, class_names, root)
        elif class_names is None:
            top = max((label.klass for labels in parsed for label in labels), default=-1)
            class_names = tuple(str(number) for number in range(top + 1))
        masks, notes = _facts(parsed, files)
        entries = [
            Entry(
                name,
                group,
                _reader(path, labels, index, masks),
                digest_files(path, *(file for file in beside if file.is_file())),
            )
            for name, group, path, labels, *beside in zip(
                ids, groups_of(ids), pictures, parsed, files, ignored, strict=True
            )
        ]
        return EvaluationSet(self.name, entries, labelled=True, class_names=class_names, notes=notes)


def read_labels(labels: Path, ignore: Path, classes: int | None) -> tuple[Label, ...]:
    """The objects of one picture, then those to be ignored; either file may be absent."""
    counted = parse_labels(_read(labels), labels, classes)
    left = parse_labels(_read(ignore), ignore, classes)
    return (*counted, *(replace(label, ignore=True) for label in left))


def _has_labels(root: Path) -> bool:
    return (root / "images").is_dir() and (root / "labels").is_dir()


def _splits(root: Path) -> list[str]:
    return [name for name in _SPLITS if _has_labels(root / name)]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(
            "LABEL-BROKEN", f"{path} cannot be read as text ({error}).", "Replace that file."
        ) from error


def _facts(parsed: list[tuple[Label, ...]], files: list[Path]) -> tuple[bool, tuple[str, ...]]:
    """Whether masks are given, and the notes."""
    objects = sum(len(labels) for labels in parsed)
    polygons = sum(label.polygon for labels in parsed for label in labels)
    missing = sum(not path.is_file() for path in files)
    notes = []
    if missing:
        notes.append(f"{missing} pictures have no label file and count as background")
    if 0 < polygons < objects:
        notes.append(f"{polygons} of {objects} objects are polygons, the others boxes: only boxes are used")
    return objects > 0 and polygons == objects, tuple(notes)


def _reader(
    picture: Path, labels: tuple[Label, ...], index: list[int] | None, masks: bool
) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    def read() -> tuple[NDArray[np.uint8], Truth | None]:
        image = read_rgb(picture)
        return image, to_truth(labels, index, (image.shape[0], image.shape[1]), masks)

    return read


LAYOUT = YoloLayout()
