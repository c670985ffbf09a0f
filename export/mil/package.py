"""Opens an ``.mlpackage`` (or a bare ``.mlmodel``): manifest, protobuf, functions and weight files."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from export.mil.blob import BlobFile
from export.mil.values import Constant, broken, immediate, type_of

_MODEL_PATH = "@model_path"


@dataclass
class Package:
    """An opened model: its protobuf ``spec`` and the folder that ``@model_path`` stands for."""

    spec: Any
    folder: Path | None
    _blobs: dict[str, BlobFile] = field(default_factory=dict)

    def constant(self, message: Any) -> Constant:
        """The constant behind a MIL ``Value`` message, wherever it is stored."""
        kind = type_of(message.type)
        if message.WhichOneof("value") != "blobFileValue":
            return immediate(message.immediateValue, kind)
        blob = message.blobFileValue
        return Constant(self._blob(blob.fileName).read(blob.offset, kind.dtype, kind.shape), kind.dtype)

    def _blob(self, name: str) -> BlobFile:
        if name not in self._blobs:
            if self.folder is None:
                raise broken(f"it refers to the weight file {name!r} but has no weights folder")
            self._blobs[name] = BlobFile(inside(self.folder, name.replace(_MODEL_PATH, ".")))
        return self._blobs[name]


@dataclass(frozen=True)
class FunctionSpec:
    """One function: its MIL message, the block to run, and the features at its doors by name."""

    name: str
    message: Any
    block: Any
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def opset(self) -> int:
        """Core ML's opset number: 5 for iOS 15, 6 for 16, 7 for 17, 8 for 18, 9 for 26."""
        digits = "".join(letter for letter in self.message.opset if letter.isdigit())
        return int(digits or 0)


def open_package(path: Path) -> Package:
    """Read a package.

    Raises:
        DeployError: ``PACKAGE-MISSING``, ``PACKAGE-BROKEN``, or ``NOT-AN-ML-PROGRAM``.
    """
    if not path.exists():
        raise DeployError("PACKAGE-MISSING", f"There is no {path}.", "Name an .mlpackage folder.")
    model = path if path.is_file() else _root_item(path)
    package = Package(_parse(model), model.parent)
    _demand_program(package.spec, path.name)
    return package


def wrap_spec(spec: Any, folder: Path | None) -> Package:
    """A package around a spec that is already in memory; ``folder`` holds ``weights/``.

    Raises:
        DeployError: ``NOT-AN-ML-PROGRAM``.
    """
    _demand_program(spec, "This model")
    return Package(spec, folder)


def pick_function(package: Package, name: str | None) -> FunctionSpec:
    """The named function, or the default one.

    Raises:
        DeployError: ``UNKNOWN-FUNCTION``, or ``PACKAGE-BROKEN`` when the function has no block to run.
    """
    functions = package.spec.mlProgram.functions
    description = package.spec.description
    wanted = name or description.defaultFunctionName or "main"
    if wanted not in functions and name is None and len(functions) == 1:
        wanted = next(iter(functions))
    if wanted not in functions:
        raise DeployError(
            "UNKNOWN-FUNCTION",
            f"The package has no function called {wanted!r}.",
            f"Choose one of: {', '.join(sorted(functions)) or 'none at all'}.",
        )
    message = functions[wanted]
    if message.opset not in message.block_specializations:
        raise broken(f"the function {wanted!r} has no block for its opset {message.opset!r}")
    described = next((each for each in description.functions if each.name == wanted), description)
    return FunctionSpec(
        wanted,
        message,
        message.block_specializations[message.opset],
        {each.name: each.type for each in described.input},
        {each.name: each.type for each in described.output},
    )


def inside(folder: Path, relative: str) -> Path:
    """A path below ``folder``; ``PACKAGE-BROKEN`` when it leads out of it."""
    target = (folder / relative).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise broken(f"it refers to {relative!r}, which lies outside the package")
    return target


def _root_item(package: Path) -> Path:
    try:
        manifest = json.loads((package / "Manifest.json").read_text(encoding="utf-8"))
        relative = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise broken(f"{package.name}/Manifest.json is missing or names no root model") from error
    if not isinstance(relative, str):
        raise broken(f"{package.name}/Manifest.json gives no path of the root model")
    target = inside(package / "Data", relative)
    if not target.is_file():
        raise broken(f"{package.name} has no {relative}")
    return target


def import_messages() -> Any:
    """Import coremltools' protobuf message types (seconds the first time) and return their module."""
    # It warns about every package it has not been tested with, and about Core ML's absence.
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    from coremltools.proto import Model_pb2

    logger.setLevel(level)
    return Model_pb2


def _parse(model: Path) -> Any:
    spec = import_messages().Model()
    try:
        spec.ParseFromString(model.read_bytes())
    except Exception as error:  # protobuf's own; its package is coremltools' dependency, not ours
        raise broken(f"{model.name} is cut short or no Core ML model") from error
    return spec


def _demand_program(spec: Any, name: str) -> None:
    kind = spec.WhichOneof("Type")
    if kind is None:
        raise broken(f"{name} describes no model")
    if kind != "mlProgram":
        raise DeployError(
            "NOT-AN-ML-PROGRAM",
            f"{name} is a Core ML model of the kind {kind}; only ML Programs can be run here.",
            "Convert it with convert_to='mlprogram' and a minimum target of iOS 15 or later.",
        )
