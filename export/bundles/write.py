"""Write one bundle folder, all or nothing; one that is already there and the same stays."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deploy.bundles.opening import OpenedBundle
from deploy.contracts.artifact import MANIFEST, Source
from deploy.contracts.bundle import BUNDLE, Bundle, BundlePart, BundleParts, EncodedPhrases, PartRole
from deploy.contracts.promptable import PromptThresholds
from deploy.errors import DeployError
from deploy.store import new_folder, sha256_bytes, sha256_file
from export.assemble import artifact_folder
from export.build import Built, Cell
from export.cache import REFERENCE
from export.parts.run import PromptableRun
from export.sources.code import code_digest

PHRASES = "phrases.npy"


@dataclass(frozen=True)
class Part:
    """A built part; ``reason`` where its precision is not the bundle's."""

    built: Built
    reason: str | None = None


@dataclass(frozen=True)
class Shared:
    """What all bundles of one call share. ``ids``: int32 (N, L), a row a phrase."""

    name: str
    out: Path
    run: PromptableRun
    phrases: tuple[str, ...]
    ids: NDArray[np.int32]

    @property
    def source(self) -> Source:
        """The run, by content."""
        checkpoint = self.run.checkpoint
        code = sha256_bytes(f"{checkpoint.digest()}{code_digest('training')}".encode())
        weights = checkpoint.weights_sha256
        return Source(spec=str(self.run.folder), kind="run", weights_sha256=weights, code_sha256=code)


def write_bundle(
    shared: Shared, cell: Cell, parts: dict[PartRole, Part], table: bytes, reference: str | None
) -> tuple[Path, Bundle]:
    """Copy the parts into a folder of their own, beside the encoded phrases and ``bundle.json``.

    Args:
        shared: the run and its phrases.
        cell: target and precision.
        parts: artifact folders that the export flow wrote.
        table: the phrases' embeddings as ``.npy``.
        reference: identity of the fp32 bundle; ``None`` for that bundle itself.
    """
    bundle = _document(shared, cell, parts, table, reference)
    final = artifact_folder(shared.out, shared.name, *cell)
    if _is_there(final, bundle):
        return final, bundle
    with new_folder(final, replace=True) as folder:
        for role, part in parts.items():
            assert part.built.folder is not None
            shutil.copytree(part.built.folder, folder / role)
        (folder / PHRASES).write_bytes(table)
        bundle.save(folder / BUNDLE)
    return final, bundle


def _document(
    shared: Shared, cell: Cell, parts: dict[PartRole, Part], table: bytes, reference: str | None
) -> Bundle:
    target, precision = cell
    role: Literal["export", "reference"] = "reference" if target == REFERENCE else "export"
    tools: dict[str, str] = {}
    for part in parts.values():
        assert part.built.artifact is not None
        tools |= part.built.artifact.toolchain
    bundle = Bundle(
        name=shared.name,
        role=role,
        target=target,
        precision=precision,
        task=shared.run.checkpoint.task,
        parts=BundleParts(**{each: _part(each, part) for each, part in parts.items()}),
        prompts=shared.run.contract,
        encoded=EncodedPhrases(
            file=PHRASES,
            sha256=sha256_bytes(table),
            phrases=shared.phrases,
            ids={phrase: tuple(row) for phrase, row in zip(shared.phrases, shared.ids.tolist(), strict=True)},
        ),
        thresholds=PromptThresholds(),
        reference_identity=reference or "",
        source=shared.source,
        toolchain=tools,
    )
    return bundle if reference else bundle.model_copy(update={"reference_identity": bundle.identity})


def _part(role: PartRole, part: Part) -> BundlePart:
    folder, artifact = part.built.folder, part.built.artifact
    assert folder is not None and artifact is not None
    return BundlePart(
        folder=role,
        precision=artifact.precision,
        reason=part.reason,
        model_sha256=artifact.model_sha256,
        model_bytes=artifact.model_bytes,
        manifest_sha256=sha256_file(folder / MANIFEST),
    )


def _is_there(final: Path, bundle: Bundle) -> bool:
    """Whether the folder already is this bundle, every file of it."""
    try:
        if Bundle.load(final / BUNDLE) != bundle:
            return False
        OpenedBundle(final, bundle).check()
    except DeployError:
        return False
    return True
