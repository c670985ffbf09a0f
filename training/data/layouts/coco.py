"""Layout ``coco``: pictures and one annotation file, as COCO, CVAT and Roboflow write it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstanceTruth, Truth
from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes, sha256_file
from deploy.vision.images import read_rgb
from training.data.groups import groups_of
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture
from training.data.layouts.coco_json import find_json, read_pictures
from training.data.layouts.protocol import map_classes
from training.data.layouts.yolo_labels import rasterise
from training.data.samples import Entry, EvaluationSet

_SPLITS = ("train", "valid", "val", "test")


class CocoLayout:
    """``annotations.json`` (or one file in ``annotations/``) beside ``images/``, or beside the pictures.

    A box is the annotation's box, not its outline's. Crowds (``iscrowd``) and what is marked ``ignore`` are
    ignored. Masks are given only when every object of the file has one.
    """

    name = "coco"
    kinds = ("yolo",)

    def recognises(self, root: Path) -> bool:
        """An annotation file is there, here or in the splits below."""
        return find_json(root) is not None or bool(_splits(root))

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """Every picture that the file lists, with its objects."""
        found = read_coco(root)
        names, index = map_classes(found.class_names, class_names, root)
        pictures = found.pictures
        objects = [each for picture in pictures for each in picture.objects]
        outlined = sum(bool(each.parts) or each.rle is not None for each in objects)
        masks = outlined == len(objects) > 0
        notes = []
        if 0 < outlined < len(objects):
            notes.append(f"{outlined} of {len(objects)} objects have outlines: only boxes are used")
        ignored = sum(each.ignore for each in objects)
        if ignored:
            notes.append(f"{ignored} of {len(objects)} objects are crowds or to be ignored")
        ids = [picture.name for picture in pictures]
        entries = [
            Entry(name, group, _reader(picture, index, masks), _digest(picture))
            for name, group, picture in zip(ids, groups_of(ids), pictures, strict=True)
        ]
        return EvaluationSet(self.name, entries, labelled=True, class_names=names, notes=tuple(notes))


def read_coco(root: Path) -> LabelledFolder:
    """The labelled pictures of a folder in this layout.

    Raises:
        DeployError: ``DATA-SPLITS``, ``PICTURE-MISSING``, and what reading the file raises.
    """
    file = find_json(root)
    if file is None:
        splits = _splits(root)
        raise DeployError(
            "DATA-SPLITS",
            f"{root} holds several parts ({', '.join(splits)}); each is a data set of its own.",
            f"Name the part to use, such as {root / splits[-1]}",
        )
    images = root / "images" if (root / "images").is_dir() else root
    found = read_pictures(file, images)
    missing = [picture.path for picture in found.pictures if not picture.path.is_file()]
    if missing:
        raise DeployError(
            "PICTURE-MISSING",
            f"{file} lists {missing[0]}, which is not there ({len(missing)} of {len(found.pictures)} "
            "are not).",
            f"Put the pictures below {images}, at the paths that file_name gives.",
        )
    return found


def to_truth(picture: LabelledPicture, index: list[int], masks: bool) -> InstanceTruth:
    """The objects of a picture as truth.

    Args:
        picture: what is labelled.
        index: the class index to use for each class of the folder.
        masks: whether to fill outlines.
    """
    objects = picture.objects
    return InstanceTruth(
        picture.size,
        np.array([each.box for each in objects], np.float32).reshape(-1, 4),
        np.array([index[each.klass] for each in objects], np.int64),
        np.array([_mask(each, picture.size) for each in objects], np.bool_).reshape(-1, *picture.size)
        if masks
        else None,
        np.array([each.ignore for each in objects], np.bool_) if any(o.ignore for o in objects) else None,
    )


def _mask(found: LabelledObject, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Bool (H, W): the union of an object's parts."""
    if found.rle is not None:
        from hotcoco import mask as codec

        return np.asarray(codec.decode(found.rle), np.bool_)
    whole = np.zeros(size, np.bool_)
    for part in found.parts:
        whole |= rasterise(part, size)
    return whole


def _splits(root: Path) -> list[str]:
    return [name for name in _SPLITS if find_json(root / name) is not None]


def _digest(picture: LabelledPicture) -> Callable[[], str]:
    """Hashes the picture and what is labelled on it, not the file that labels all pictures."""

    @cache  # validation reads every sample again and again
    def digest() -> str:
        labels = [
            [
                each.klass,
                each.box,
                [part.tolist() for part in each.parts],
                each.ignore,
                None if each.rle is None else str(each.rle["counts"]),
            ]
            for each in picture.objects
        ]
        return sha256_bytes((sha256_file(picture.path) + canonical_json(labels)).encode())

    return digest


def _reader(
    picture: LabelledPicture, index: list[int], masks: bool
) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    def read() -> tuple[NDArray[np.uint8], Truth | None]:
        image = read_rgb(picture.path)
        if image.shape[:2] != picture.size:
            raise DeployError(
                "PICTURE-SIZE-DIFFERS",
                f"{picture.path} is {image.shape[1]}x{image.shape[0]} pixels; its annotations are for "
                f"{picture.size[1]}x{picture.size[0]}.",
                "Put the picture back that was annotated, or annotate this one.",
            )
        return image, to_truth(picture, index, masks)

    return read


LAYOUT = CocoLayout()
