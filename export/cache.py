"""The content-addressed cache of exports: the key is everything that shapes a file, never a path."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy import console
from deploy.contracts.artifact import MANIFEST, Artifact, Source
from deploy.contracts.base import SCHEMA_VERSION
from deploy.errors import DeployError
from deploy.store import canonical_json, new_folder, sha256_bytes, sha256_file, sha256_tree
from deploy.toolchain import versions
from export.request import ExportRequest
from export.sources.code import code_digest
from export.targets import TARGETS

REFERENCE = "torch"


def cache_root() -> Path:
    """``POCKETPROOF_CACHE``, else the user's cache folder."""
    base = os.environ.get("POCKETPROOF_CACHE")
    if base:
        return Path(base) / "exports"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pocketproof" / "exports"


def cache_key(request: ExportRequest, source: Source, samples: str, target: str, precision: str) -> str:
    """Hex SHA-256 over weights, code, settings, samples and the versions of the tools that convert."""
    tools = TARGETS.open(target).TOOLS if target in TARGETS else ("torch",)
    config = {
        "schema": SCHEMA_VERSION,
        "target": target,
        "precision": precision,
        "weights": source.weights_sha256,
        "code": source.code_sha256,
        "kind": source.kind,
        "inputs": [[name, list(shape)] for name, shape in request.inputs],
        "image_size": request.image_size,
        "preprocess": sha256_file(request.preprocess) if request.preprocess else None,
        "decode": sha256_file(request.decode) if request.decode else None,
        "samples": samples,
        "calibration": None,
        "coreml": [request.coreml_input, request.coreml_target] if target != "onnx" else None,
        "executorch": request.executorch_backend if target == "executorch" else None,
        "seed": request.seed,
        "tools": versions(*tools),
        "own_code": [code_digest("export"), code_digest("deploy")],
    }
    return sha256_bytes(canonical_json(config).encode())


def find(key: str) -> Path | None:
    """The cached artifact folder for ``key``, when it is there and its model file is the one it was."""
    folder = cache_root() / key
    if not (folder / MANIFEST).is_file():
        return None
    try:
        artifact = Artifact.load(folder / MANIFEST)
        if artifact.cache_key == key and sha256_tree(folder / artifact.model_file) == artifact.model_sha256:
            return folder
    except DeployError:
        pass  # a broken entry is no entry
    shutil.rmtree(folder, ignore_errors=True)
    return None


def restore(cached: Path, final: Path, name: str, source: Source) -> Artifact:
    """Copy a cached artifact to ``final`` under this call's name and source; an identical one there stays."""
    artifact = Artifact.load(cached / MANIFEST).model_copy(update={"name": name, "source": source})
    if _same(final, artifact):
        return artifact
    with new_folder(final, replace=True) as work:
        shutil.copytree(cached, work, dirs_exist_ok=True)
        artifact.save(work / MANIFEST)
    return artifact


def keep(folder: Path, key: str) -> None:
    """Put a finished artifact into the cache; a full or read-only cache costs a note, not the export."""
    try:
        with new_folder(cache_root() / key, replace=True) as work:
            shutil.copytree(folder, work, dirs_exist_ok=True)
    except (DeployError, OSError) as error:
        console.note(f"The export was not cached: {error}")


def _same(final: Path, artifact: Artifact) -> bool:
    """Whether the folder at ``final`` already is this artifact, file and all."""
    try:
        there = Artifact.load(final / MANIFEST)
        return there == artifact and sha256_tree(final / there.model_file) == artifact.model_sha256
    except (DeployError, OSError):
        return False
