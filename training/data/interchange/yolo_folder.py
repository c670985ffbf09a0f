"""Write labelled pictures as a YOLO folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from deploy.store import new_folder
from training.data.labelled import LabelledFolder, LabelledPicture
from training.data.labelled_folders import to_label
from training.data.layouts.yolo_labels import label_line


def write_yolo(found: LabelledFolder, out: Path, told: Callable[[], object] = lambda: None) -> None:
    """``images/``, ``labels/``, ``ignore/`` where something is ignored, and ``data.yaml``.

    Boxes keep nine digits; an outline of several parts becomes one polygon; a run-length mask its outline.

    Args:
        told: called after every picture.

    Raises:
        DeployError: ``OUTPUT-EXISTS``.
    """
    with new_folder(out) as work:
        (work / "images").mkdir()
        (work / "labels").mkdir()
        for picture in found.pictures:
            target = work / "images" / f"{picture.name}{picture.path.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture.path, target)
            write_labels(work, picture)
            told()
        (work / "data.yaml").write_text(data_yaml(found.class_names), encoding="utf-8")


def write_labels(root: Path, picture: LabelledPicture) -> None:
    """The label files of one picture: ``labels/NAME.txt``, and ``ignore/NAME.txt`` where it ignores any."""
    for part, ignored in (("labels", False), ("ignore", True)):
        chosen = [each for each in picture.objects if each.ignore == ignored]
        if chosen or not ignored:
            path = root / part / f"{picture.name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                "".join(label_line(to_label(each, picture.size)) for each in chosen), encoding="utf-8"
            )


def data_yaml(class_names: tuple[str, ...], parts: tuple[str, ...] = ("images",)) -> str:
    """The text of ``data.yaml``; ``parts`` are folders of pictures, the training one first."""
    lines = [f"train: {parts[0]}", f"val: {parts[-1]}", "names:"]
    lines += [f"  {index}: {json.dumps(name)}" for index, name in enumerate(class_names)]
    return "\n".join(lines) + "\n"
