"""Deduplicate a folder: scan on every core, find, and set aside where told to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.vision.images import list_images
from training.data.duplicates.find import find_duplicates
from training.data.duplicates.gallery import Told, gallery_of_files
from training.data.duplicates.likeness import Alike
from training.data.duplicates.quarantine import Move, set_aside
from training.data.layouts.coco_json import find_json


def deduplicate(
    root: Path, how: Alike, told: Told, *, apply: bool, engine: str = "local", workers: int | None = None
) -> dict[str, Any]:
    """Find the pictures of a folder that are there already; move them into quarantine if ``apply`` is set.

    Pictures are taken in the order of their paths; the first of each kind stays.

    Raises:
        DeployError: ``DATA-MISSING``, ``DATA-EMPTY``, ``DEDUP-ANNOTATIONS``, and what reading or moving
        raises.
    """
    if not root.is_dir():
        raise DeployError("DATA-MISSING", f"The data folder {root} does not exist.", "Check the path.")
    file = find_json(root)
    if apply and file is not None:
        raise DeployError(
            "DEDUP-ANNOTATIONS",
            f"{file} lists the pictures of {root}; moved ones would leave their annotations behind.",
            f"Convert it first: deploy data convert {root} --to yolo --out {root}-yolo",
        )
    pictures = list_images(root)
    if not pictures:
        raise DeployError("DATA-EMPTY", f"There are no pictures in {root}.", "Name a folder with pictures.")
    work = root.resolve().parent / f".{root.resolve().name}.dedup"
    gallery = gallery_of_files(root, pictures, work, told, engine=engine, workers=workers)
    files = [path.relative_to(root).as_posix() for path in pictures]
    found = find_duplicates(gallery, how)
    moves = [
        Move(files[each.index], files[each.original], "same bytes" if each.exact else "same picture")
        for each in found
    ]
    manifest = set_aside(root, moves) if apply and moves else None
    shutil.rmtree(work, ignore_errors=True)
    return {
        "folder": str(root),
        "pictures": len(pictures),
        "exact": sum(each.exact for each in found),
        "near": sum(not each.exact for each in found),
        "duplicates": [{"file": m.file, "original": m.original, "reason": m.reason} for m in moves],
        "manifest": None if manifest is None else str(manifest),
    }
