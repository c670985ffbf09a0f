"""Layout ``class_folders``: one sub-folder of pictures for each class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import ClassTruth, Truth
from deploy.vision.images import SUFFIXES, list_images, read_rgb
from training.data.groups import groups_of
from training.data.layouts.protocol import digest_files, map_classes
from training.data.samples import Entry, EvaluationSet


class ClassFoldersLayout:
    """The folder's name is the class; classes are numbered as the model does, or in alphabetical order."""

    name = "class_folders"
    kinds = ("classify",)

    def recognises(self, root: Path) -> bool:
        """At least two sub-folders, and no pictures beside them."""
        loose = any(path.suffix.lower() in SUFFIXES for path in root.iterdir() if path.is_file())
        return not loose and len(_classes(root)) >= 2

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """Every picture with its class."""
        found = tuple(_classes(root))
        names, index = map_classes(found, class_names, root)
        entries = []
        for label, folder in zip(index, found, strict=True):
            pictures = list_images(root / folder)
            ids = [path.relative_to(root / folder).with_suffix("").as_posix() for path in pictures]
            entries += [
                Entry(f"{folder}/{name}", f"{folder}/{group}", _reader(path, label), digest_files(path))
                for name, group, path in zip(ids, groups_of(ids), pictures, strict=True)
            ]
        return EvaluationSet(self.name, entries, labelled=True, class_names=names)


def _classes(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _reader(picture: Path, label: int) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    return lambda: (read_rgb(picture), ClassTruth(label))


LAYOUT = ClassFoldersLayout()
