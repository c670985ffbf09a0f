"""From an archive to a data folder, which appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.store import scratch_folder
from training.data.cvat.archive import unpack_archive
from training.data.cvat.unpack import read_package
from training.data.interchange.coco_folder import write_coco
from training.data.interchange.convert import Target
from training.data.interchange.yolo_folder import write_yolo


def unpack(
    archive: Path, out: Path, pictures: Path | None, target: Target, told: Callable[[], object]
) -> dict[str, Any]:
    """Read an archive of CVAT's and write it as ``target``.

    Raises:
        DeployError: ``OUTPUT-EXISTS``, and what unpacking and reading raise.
    """
    if out.exists():
        raise DeployError("OUTPUT-EXISTS", f"{out} is already there.", "Name another place with --out.")
    with scratch_folder(out.parent, f"{out.name}.unpacked") as work:
        unpack_archive(archive, work)
        found = read_package(work, pictures)
        (write_yolo if target == "yolo" else write_coco)(found, out, told)
    objects = sum(len(picture.objects) for picture in found.pictures)
    return {"pictures": len(found.pictures), "objects": objects, "classes": list(found.class_names)}
