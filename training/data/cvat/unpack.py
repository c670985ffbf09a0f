"""Read the archives that CVAT exports: YOLO 1.1 and COCO 1.0, with or without their pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

from deploy.errors import DeployError
from deploy.vision.images import SUFFIXES
from training.data.labelled import LabelledFolder, LabelledPicture
from training.data.labelled_folders import picture_size, to_object
from training.data.layouts.coco_json import read_pictures
from training.data.layouts.yolo_labels import parse_labels


def read_package(root: Path, pictures: Path | None) -> LabelledFolder:
    """What an unpacked archive holds.

    Args:
        root: the folder it was unpacked to.
        pictures: where the pictures lie if the archive has none, at the relative paths that CVAT knows.

    Raises:
        DeployError: ``PACKAGE-UNKNOWN``, ``PACKAGE-BROKEN``, ``PICTURE-MISSING``, and what labels raise.
    """
    jsons = sorted((root / "annotations").glob("*.json"))
    if (root / "obj.data").is_file():
        found = _read_yolo(root, pictures)
    elif jsons:
        parts = [read_pictures(file, root / "images") for file in jsons]
        if len({part.class_names for part in parts}) > 1:
            raise _broken(root / "annotations", "its files have different classes")
        listed = tuple(picture for part in parts for picture in part.pictures)
        subsets = [file.stem.removeprefix("instances_") for file in jsons]
        places = [root / "images" / subset for subset in subsets] + [root / "images", root]
        found = LabelledFolder(parts[0].class_names, tuple(_found(each, places, pictures) for each in listed))
    else:
        raise DeployError(
            "PACKAGE-UNKNOWN",
            "The archive has neither obj.data nor annotations/*.json at its root.",
            "Export the task from CVAT as YOLO 1.1 or COCO 1.0; do not zip the folder around it.",
        )
    counted = Counter(picture.name for picture in found.pictures)
    for name, count in counted.most_common(1):
        if count > 1:
            raise _broken(root, f"the picture {name} is in it {count} times")
    return found


def _read_yolo(root: Path, pictures: Path | None) -> LabelledFolder:
    try:
        said = (root / "obj.data").read_text(encoding="utf-8").splitlines()
        pairs = (line.partition("=") for line in said)
        facts = {key.strip(): value.strip() for key, equals, value in pairs if equals}
        text = _inside(root, facts["names"]).read_text(encoding="utf-8")
        lists = [_inside(root, facts[key]) for key in ("train", "valid", "test") if key in facts]
        lines = [line.strip() for file in lists for line in file.read_text(encoding="utf-8").splitlines()]
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise _broken(root / "obj.data", f"{error} cannot be read") from error
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    found = []
    for line in filter(None, lines):
        place = _inside(root, line)
        relative = place.relative_to(root)
        label = place.with_suffix(".txt")
        # obj_SUBSET_data/ is the archive's own; what follows is the picture's path in the task.
        own = 1 if relative.parts[0].startswith("obj_") else 0
        name = PurePosixPath(*relative.parts[own:])
        stub = LabelledPicture(name.with_suffix("").as_posix(), Path(name), (0, 0), ())
        picture = _found(stub, [root / PurePosixPath(*relative.parts[:own])], pictures)
        size = picture_size(picture.path)
        labels = parse_labels(label.read_text(encoding="utf-8") if label.is_file() else "", label, len(names))
        objects = tuple(to_object(each, size) for each in labels)
        found.append(replace(picture, size=size, objects=objects))
    return LabelledFolder(names, tuple(found))


def _found(picture: LabelledPicture, places: list[Path], pictures: Path | None) -> LabelledPicture:
    """The picture with the file that is there: in the archive, or else in ``pictures``."""
    folders = [*places, *([pictures, pictures / "images"] if pictures else [])]
    suffixes = dict.fromkeys((picture.path.suffix, *sorted(SUFFIXES)))
    for folder in folders:
        for suffix in suffixes:
            file = folder / f"{picture.name}{suffix}"
            if file.is_file():
                return replace(picture, path=file)
    raise DeployError(
        "PICTURE-MISSING",
        f"The picture {picture.name} is not in the archive"
        + (f", nor in {pictures}." if pictures else ", which was exported without pictures."),
        "Say where the pictures lie: --images FOLDER",
    )


def _inside(root: Path, written: str) -> Path:
    """A path of the archive's own lists; CVAT writes ``data/`` before paths that are not there."""
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts:
        raise _broken(root, f"{written} leads out of it")
    if path.parts and path.parts[0] == "data" and not (root / "data").is_dir():
        path = PurePosixPath(*path.parts[1:])
    return root / path


def _broken(where: Path, why: str) -> DeployError:
    return DeployError(
        "PACKAGE-BROKEN", f"{where.name} of the archive: {why}.", "Export the task from CVAT again."
    )
