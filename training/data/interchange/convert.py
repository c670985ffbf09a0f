"""From one layout to another: pictures copied, every object kept and counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from deploy.errors import DeployError
from deploy.store import scratch_folder
from training.data.interchange.coco_folder import write_coco
from training.data.interchange.coco_to_yolo import write_box_labels
from training.data.interchange.yolo_folder import data_yaml, write_yolo
from training.data.labelled_folders import open_labelled
from training.data.layouts.coco_json import class_table, load_json

Target = Literal["yolo", "coco"]


def convert_folder(
    source: Path, out: Path, target: Target, told: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Write the labelled folder ``source`` as ``target``.

    Raises:
        DeployError: ``OUTPUT-EXISTS``, and what reading raises.
    """
    found = open_labelled(source)
    (write_yolo if target == "yolo" else write_coco)(found, out, told)
    objects = [each for picture in found.pictures for each in picture.objects]
    return {
        "pictures": len(found.pictures),
        "objects": len(objects),
        "outlined": sum(bool(each.parts) or each.rle is not None for each in objects),
        "ignored": sum(each.ignore for each in objects),
        "classes": list(found.class_names),
    }


def convert_annotations(file: Path, out: Path) -> dict[str, Any]:
    """Boxes of a COCO annotation file alone to ``out/labels``, for pictures that lie elsewhere.

    Raises:
        DeployError: ``DATA-MISSING``, ``OUTPUT-EXISTS``, ``COCO-BROKEN`` and the like.
    """
    if not file.is_file():
        raise DeployError("DATA-MISSING", f"The annotation file {file} does not exist.", "Check the path.")
    payload = load_json(file)
    names, _ = class_table(payload, file)
    if out.exists():
        raise DeployError(
            "OUTPUT-EXISTS", f"{out} is already there.", "Name another place with --out, or remove it."
        )
    # Not new_folder, which waits for the disk after every file: these can be made again in a second.
    with scratch_folder(out.parent, out.name) as work:
        (work / "labels").mkdir()
        written, left_out = write_box_labels(payload, file, work / "labels")
        (work / "data.yaml").write_text(data_yaml(names), encoding="utf-8")
        work.replace(out)
    return {
        "pictures": len(payload["images"]),
        "objects": written,
        "left_out": left_out,
        "classes": list(names),
    }
