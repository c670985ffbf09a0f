"""Make an ``.mlpackage`` a function of its content: no dates, no random identifiers."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from deploy.store import sha256_file

_SPEC = "Data/com.apple.CoreML/model.mlmodel"
_DATED = ("com.github.apple.coremltools.conversion_date",)


def spec_file(package: Path) -> Path:
    """The protobuf inside a package."""
    return package / _SPEC


def weight_file(package: Path) -> Path:
    """The weight blob inside a package (absent for a model without large weights)."""
    return package / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"


def read_spec(package: Path) -> Any:
    """The package's protobuf message."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(spec_file(package).read_bytes())
    return spec


def make_reproducible(package: Path) -> None:
    """Drop dates from the spec, serialise it deterministically, and derive identifiers from contents."""
    path = spec_file(package)
    spec = read_spec(package)
    for key in _DATED:
        spec.description.metadata.userDefined.pop(key, None)
    path.write_bytes(spec.SerializeToString(deterministic=True))

    manifest_path = package / "Manifest.json"
    manifest = json.loads(manifest_path.read_text())
    entries = {}
    root = manifest["rootModelIdentifier"]
    for identifier, item in sorted(manifest["itemInfoEntries"].items(), key=lambda pair: pair[1]["path"]):
        target = package / "Data" / item["path"]
        content = sha256_file(target) if target.is_file() else item["path"]
        fixed = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{item['path']}:{content}")).upper()
        entries[fixed] = item
        if identifier == manifest["rootModelIdentifier"]:
            root = fixed
    manifest |= {"itemInfoEntries": entries, "rootModelIdentifier": root}
    manifest_path.write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")
