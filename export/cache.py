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
from export.precisions import PRECISIONS
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


def cache_key(
    request: ExportRequest, source: Source, samples: str, calibration: str | None, target: str, precision: str
) -> str:
    """Hex SHA-256 over weights, code, settings, samples and the versions of the tools that convert.

    Args:
        samples: digest of the parity samples.
        calibration: digest of the calibration pictures, which count where the precision needs any.
    """
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
        "nms": request.nms,
        "tiling": request.tiling.to_json() if request.tiling else None,
        "samples": samples,
        "calibration": _calibration(request, calibration, precision),
        "onnx": request.onnx_pairing if target == "onnx" and PRECISIONS[precision].calibrated else None,
        "coreml": _coreml(request, target),
        "executorch": request.executorch_backend if target == "executorch" else None,
        "seed": request.seed,
        "tools": versions(*tools),
        "own_code": [code_digest("export"), code_digest("deploy")],
    }
    return sha256_bytes(canonical_json(config).encode())


def _calibration(request: ExportRequest, pictures: str | None, precision: str) -> list[str] | None:
    """What decides the ranges of a calibrated file."""
    if pictures is None or not PRECISIONS[precision].calibrated:
        return None
    tuning = str(request.finetune)
    if precision == "auto":
        digest = sha256_tree(request.tune_data) if request.tune_data else ""
        tuning = f"{tuning} {request.budget} {digest}"
    return [pictures, request.calibrator, tuning]


def _coreml(request: ExportRequest, target: str) -> list[str] | None:
    """What Core ML is told, for the files that are made with it."""
    if target == "coreml":
        return [request.coreml_input, request.coreml_target]
    if target == "executorch" and request.executorch_backend == "coreml":
        return [request.coreml_target]
    return None


def find(key: str) -> Path | None:
    """The cached artifact folder for ``key``, when it is there and its files are the ones they were."""
    folder = cache_root() / key
    if not (folder / MANIFEST).is_file():
        return None
    try:
        artifact = Artifact.load(folder / MANIFEST)
        if artifact.cache_key == key and _intact(folder, artifact):
            return folder
    except DeployError:
        pass  # a broken entry is no entry
    shutil.rmtree(folder, ignore_errors=True)
    return None


def restore(cached: Path, final: Path, name: str, source: Source) -> Artifact:
    """Copy a cached artifact to ``final`` under this call's name and source; an identical one there stays."""
    artifact = Artifact.load(cached / MANIFEST).model_copy(update={"name": name, "source": source})
    if _same(final, cached, artifact):
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


def _intact(folder: Path, artifact: Artifact) -> bool:
    """Whether model and golden tensors still are what the manifest says."""
    tensors = [tensor for sample in artifact.golden.samples for tensor in (*sample.inputs, *sample.outputs)]
    return sha256_tree(folder / artifact.model_file) == artifact.model_sha256 and all(
        sha256_file(folder / tensor.file) == tensor.sha256 for tensor in tensors
    )


def _same(final: Path, cached: Path, artifact: Artifact) -> bool:
    """Whether the folder at ``final`` already is this artifact, every file of it."""
    try:
        return Artifact.load(final / MANIFEST) == artifact and _contents(final) == _contents(cached)
    except (DeployError, OSError):
        return False


def _contents(folder: Path) -> dict[Path, str]:
    """Hash of every file but the manifest, which carries the call's own name."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder): sha256_file(path) for path in files}
