"""Open the user's own data: find out how a folder is laid out, and read it through one interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.errors import DeployError
from training.data.layouts import LAYOUTS
from training.data.samples import EvaluationSet


def open_folder(
    path: Path, decode_kind: str | None, class_names: Sequence[str] | None = None
) -> EvaluationSet:
    """Open a data folder of any known layout.

    Args:
        path: the folder.
        decode_kind: the kind of the model's ``Decode`` block, which the labels must serve; ``tensors``
            takes any pictures and drops labels; ``None`` takes everything (inspection).
        class_names: the model's class names, where it has some.

    Raises:
        DeployError: ``DATA-MISSING``, ``DATA-EMPTY``, ``DATA-KIND``, and what the layout raises.
    """
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise DeployError(
            "DATA-MISSING", f"The data folder {path} {what}.", "Check the path given with --data."
        )
    names = tuple(class_names) if class_names else None
    for name in LAYOUTS:
        layout = LAYOUTS.open(name)
        # Any nested folder looks like class folders; only a classifier can mean them.
        if name == "class_folders" and decode_kind not in ("classify", None):
            continue
        if not layout.recognises(path):
            continue
        if decode_kind not in (None, "tensors", *layout.kinds):
            raise DeployError(
                "DATA-KIND",
                f"{path} is laid out as {name}, whose labels serve {' or '.join(layout.kinds)} models; "
                f"this model's outputs are decoded as {decode_kind}.",
                "Choose data with labels of that kind, or a folder of plain pictures.",
            )
        found = layout.open(path, names)
        if len(found) == 0:
            raise DeployError(
                "DATA-EMPTY",
                f"There are no pictures in {path} (looked for layout {name}).",
                "Put pictures (.jpg, .png, .webp, .bmp, .tif) there, or generate some: "
                "deploy data clips --out data/clips",
            )
        return found.without_truth() if decode_kind == "tensors" else found
    raise AssertionError("the layout called pictures recognises every folder")
