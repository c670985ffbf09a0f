"""Door plate of the model sources, and the rule that tells from what was typed which one is meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from export.request import ExportRequest
    from export.sources.protocol import ModelSource

SOURCES: DoorPlate[type[ModelSource]] = DoorPlate(
    "source",
    {
        "run": "export.sources.run:RunSource",
        "part": "export.sources.part:PartSource",
        "ultralytics": "export.sources.ultralytics:UltralyticsSource",
        "timm": "export.sources.timm:TimmSource",
        "python": "export.sources.python:PythonSource",
    },
)

_OPTIONS: dict[str, tuple[str, ...]] = {
    "run": (),
    "part": (),
    "ultralytics": ("image_size",),
    "timm": ("weights", "image_size"),
    "python": ("weights", "inputs", "preprocess", "decode"),
    "bundle": ("phrases",),
}
"""The model options that each kind of source understands; others would be ignored, so they are refused.
A bundle is no source: its parts are."""

_FLAGS = {"inputs": "input", "phrases": "phrase"}
_PYTHON = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def open_source(request: ExportRequest) -> ModelSource:
    """The source that the request's ``spec`` means.

    Raises:
        DeployError: ``CHECKPOINT-MISSING``, ``SOURCE-UNKNOWN``, or ``OPTION-UNUSED`` for an option that says
            nothing about such a source.
    """
    kind = kind_of(request.spec)
    for option in {name for names in _OPTIONS.values() for name in names} - set(_OPTIONS[kind]):
        if getattr(request, option):
            flag = f"--{_FLAGS.get(option, option).replace('_', '-')}"
            raise DeployError(
                "OPTION-UNUSED",
                f"{flag} says nothing about {request.spec}, which brings its own.",
                f"Leave it out: deploy export {request.spec} --target all",
            )
    return SOURCES.open(kind)(request)


def kind_of(spec: str) -> str:
    """Name on the door plate for what the user typed."""
    path = Path(spec)
    if path.is_dir():
        return "run"
    if Path(spec.rpartition("#")[0]).is_dir() and "#" in spec:
        return "part"
    if spec.startswith("timm:"):
        return "timm"
    if path.suffix in (".pt", ".pth") and (path.exists() or not _PYTHON.fullmatch(spec)):
        return "ultralytics"
    if _PYTHON.fullmatch(spec):
        return "python"
    if not path.exists() and ("/" in spec or path.suffix):
        raise DeployError(
            "CHECKPOINT-MISSING",
            f"{spec} does not exist.",
            "Check the path, or train one: deploy train binary_masks --out runs/first",
        )
    raise DeployError(
        "SOURCE-UNKNOWN",
        f"{spec!r} is not a model that can be exported.",
        "Give a run folder (runs/x), an ultralytics .pt file, timm:NAME, or package.module:function.",
    )
