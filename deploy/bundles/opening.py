"""Bundle folders: opened, every part and the phrases held against their hashes, their reference found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import Exported, check_bytes, find_promised, open_artifact
from deploy.contracts.artifact import MANIFEST
from deploy.contracts.bundle import BUNDLE, PART_ROLES, Bundle, PartRole
from deploy.errors import DeployError
from deploy.store import sha256_file


@dataclass(frozen=True)
class OpenedBundle:
    """A bundle and the folder it lies in."""

    folder: Path
    bundle: Bundle

    @property
    def parts(self) -> dict[PartRole, Exported]:
        """The parts' artifacts; raises what ``open_artifact`` raises, and ``PATH-OUTSIDE``."""
        return {role: open_artifact(self._inside(self.bundle.parts[role].folder)) for role in PART_ROLES}

    @cached_property
    def embeddings(self) -> dict[str, NDArray[np.float32]]:
        """Phrase to its embedding, float32 (1, D), read once; raises as ``read_embeddings``."""
        return self.read_embeddings()

    def read_embeddings(self) -> dict[str, NDArray[np.float32]]:
        """Phrase to its embedding, float32 (1, D); raises ``BUNDLE-CHANGED`` where the file is another."""
        encoded = self.bundle.encoded
        path = self._inside(encoded.file)
        if not path.is_file() or sha256_file(path) != encoded.sha256:
            raise self._changed(f"{encoded.file} is not the file that {BUNDLE} was written for")
        table = np.load(path, allow_pickle=False)
        if table.ndim != 2 or len(table) != len(encoded.phrases) or table.dtype != np.float32:
            raise self._changed(f"{encoded.file} holds {table.dtype} {table.shape}, not a row a phrase")
        return {phrase: table[row : row + 1] for row, phrase in enumerate(encoded.phrases)}

    def check(self) -> dict[PartRole, Exported]:
        """Hold every part against the bundle's hashes.

        Raises:
            DeployError: ``BUNDLE-CHANGED`` for a part of another run, precision or export, and for phrases
                that were edited; ``ARTIFACT-CHANGED`` for a model file that is not its manifest's.
        """
        parts = self.parts
        for role, exported in parts.items():
            promised = self.bundle.parts[role]
            if exported.artifact.model_sha256 != promised.model_sha256:
                raise self._changed(f"its {role.replace('_', ' ')} is another model than the one bundled")
            if sha256_file(exported.folder / MANIFEST) != promised.manifest_sha256:
                raise self._changed(f"the manifest of its {role.replace('_', ' ')} was edited")
            check_bytes(exported)
        self.read_embeddings()
        return parts

    def embedding(self, phrase: str) -> NDArray[np.float32]:
        """A phrase's embedding, float32 (1, D); raises ``UNKNOWN-PHRASE`` with the phrases that are known."""
        found = self.embeddings.get(phrase)
        if found is None:
            bundle = self.bundle
            raise DeployError(
                "UNKNOWN-PHRASE",
                f"{self.folder.name} has no phrase {phrase!r}; it knows {', '.join(bundle.encoded.phrases)}.",
                f"Ask one of them, or add it: deploy export {bundle.source.spec} -t {bundle.target} "
                f'-p {bundle.precision} --phrase "{phrase}"',
            )
        return found

    def _inside(self, name: str) -> Path:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DeployError(
                "PATH-OUTSIDE", f"{BUNDLE} names {name!r}, which lies outside its folder.", "Export it again."
            )
        return self.folder / name

    def _changed(self, what: str) -> DeployError:
        return DeployError(
            "BUNDLE-CHANGED",
            f"{self.folder} is not the bundle that was exported: {what}.",
            f"Export it again with: deploy export {self.bundle.source.spec} -t {self.bundle.target}",
        )


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle."""
    return (folder / BUNDLE).is_file()


def open_bundle(folder: Path) -> OpenedBundle:
    """Read a folder's ``bundle.json``; raises ``NOT-A-BUNDLE``, or the contract's own complaint."""
    if not is_bundle(folder):
        raise DeployError(
            "NOT-A-BUNDLE",
            f"{folder} holds no {BUNDLE}.",
            "Name a folder that deploy export wrote for a run of promptable_masks.",
        )
    return OpenedBundle(folder, Bundle.load(folder / BUNDLE))


def find_reference_bundle(opened: OpenedBundle, given: Path | None) -> OpenedBundle | None:
    """The fp32 bundle of an export: ``given``, or the folder beside it with the promised identity.

    Raises:
        DeployError: ``REFERENCE-MISMATCH`` when ``given`` is not what the bundle was exported with.
    """
    wanted = opened.bundle.reference_identity
    return find_promised(
        opened.folder,
        given,
        open_bundle,
        lambda other: other.bundle.role == "reference" and other.bundle.identity == wanted,
    )
