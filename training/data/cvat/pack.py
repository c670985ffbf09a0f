"""Write the archives that CVAT imports: YOLO 1.1 and COCO 1.0."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from deploy.errors import DeployError
from deploy.store import disk_errors
from training.data.interchange.coco_folder import coco_payload
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture
from training.data.labelled_folders import to_label
from training.data.layouts.yolo_labels import label_line

Kind = Literal["yolo", "coco"]


def pack(
    found: LabelledFolder,
    out: Path,
    kind: Kind,
    *,
    ignored: bool = False,
    images: bool = True,
    told: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Write ``out`` and say what went in. Everything lies at the archive's root, as CVAT wants it.

    YOLO 1.1 has boxes only: outlines become their boxes, which is counted. Objects that are ignored have no
    place in either format.

    Args:
        ignored: pack them as ordinary objects, for people to confirm; else they are left out and counted.
        images: pack the pictures too; CVAT needs them for a new task, not for one that has them.

    Raises:
        DeployError: ``OUTPUT-EXISTS``.
    """
    if out.exists():
        raise DeployError("OUTPUT-EXISTS", f"{out} is already there.", "Name another file with --out.")
    objects = [each for picture in found.pictures for each in picture.objects]
    left_out = 0 if ignored else sum(each.ignore for each in objects)
    chosen = LabelledFolder(found.class_names, tuple(_chosen(picture, ignored) for picture in found.pictures))
    with _archive(out) as package:
        (_yolo if kind == "yolo" else _coco)(chosen, package)
        if images:
            folder = "obj_train_data" if kind == "yolo" else "images/default"
            for picture in chosen.pictures:
                package.write(picture.path, f"{folder}/{_file(picture)}")
                told()
    outlined = sum(bool(each.parts) or each.rle is not None for each in objects)
    return {
        "pictures": len(found.pictures),
        "objects": len(objects) - left_out,
        "ignored_left_out": left_out,
        "outlines_lost": outlined if kind == "yolo" else 0,
    }


def _chosen(picture: LabelledPicture, ignored: bool) -> LabelledPicture:
    objects = [replace(each, ignore=False) for each in picture.objects if ignored or not each.ignore]
    return replace(picture, objects=tuple(objects))


def _yolo(found: LabelledFolder, package: zipfile.ZipFile) -> None:
    names = "".join(f"{name}\n" for name in found.class_names)
    facts = f"classes = {len(found.class_names)}\ntrain = data/train.txt\n"
    facts += "names = data/obj.names\nbackup = backup/\n"
    package.writestr("obj.data", facts)
    package.writestr("obj.names", names)
    listed = "".join(f"data/obj_train_data/{_file(picture)}\n" for picture in found.pictures)
    package.writestr("train.txt", listed)
    for picture in found.pictures:
        lines = [label_line(to_label(_box_of(each), picture.size)) for each in picture.objects]
        package.writestr(f"obj_train_data/{picture.name}.txt", "".join(lines))


def _coco(found: LabelledFolder, package: zipfile.ZipFile) -> None:
    import orjson

    package.writestr("annotations/instances_default.json", orjson.dumps(coco_payload(found)))


def _box_of(found: LabelledObject) -> LabelledObject:
    return LabelledObject(found.klass, found.box)


def _file(picture: LabelledPicture) -> str:
    return f"{picture.name}{picture.path.suffix}"


@contextmanager
def _archive(out: Path) -> Iterator[zipfile.ZipFile]:
    """A ZIP file that takes its name when it is whole. Pictures are compressed already: nothing is again."""
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp")
        os.close(handle)
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as package:
                yield package
            os.chmod(temporary, 0o644)
            os.replace(temporary, out)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
