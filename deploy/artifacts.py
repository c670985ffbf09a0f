"""Artifact folders: opened, their bytes checked, their reference found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.bundle import BUNDLE, Bundle
from deploy.errors import DeployError, ExitCode
from deploy.store import sha256_tree

T = TypeVar("T")


@dataclass(frozen=True)
class Exported:
    """An artifact and the folder it lies in."""

    folder: Path
    artifact: Artifact

    @property
    def model(self) -> Path:
        """The model file (or package folder)."""
        return self.folder / self.artifact.model_file

    @property
    def manifest(self) -> Path:
        """The document that everything known stands in."""
        return self.folder / MANIFEST

    @property
    def gives_masks(self) -> bool:
        """True when predictions can be drawn as one foreground mask, so that jitter means something."""
        decode = self.artifact.decode
        return decode.kind == "binary_mask" or (decode.kind == "yolo" and decode.protos is not None)


def open_artifact(folder: Path) -> Exported:
    """Read a folder's manifest.

    Raises:
        DeployError: ``NOT-AN-ARTIFACT``, or the contract's own complaint about the manifest.
    """
    if not (folder / MANIFEST).is_file():
        raise DeployError(
            "NOT-AN-ARTIFACT",
            f"{folder} holds no {MANIFEST}.",
            "Name folders that deploy export wrote, for example: deploy bench artifacts/*",
        )
    return Exported(folder, Artifact.load(folder / MANIFEST))


def check_bytes(exported: Exported) -> None:
    """Raise ``ARTIFACT-CHANGED`` unless the model file is the one its manifest was written for."""
    if not exported.model.exists():
        raise DeployError(
            "MODEL-MISSING",
            f"{exported.folder} has no {exported.artifact.model_file}.",
            f"Export it again with: deploy export {exported.artifact.source.spec}",
        )
    if sha256_tree(exported.model) != exported.artifact.model_sha256:
        raise DeployError(
            "ARTIFACT-CHANGED",
            f"{exported.model} is not the file its manifest describes (the SHA-256 differs).",
            f"Export it again with: deploy export {exported.artifact.source.spec}",
        )


def find_reference(exported: Exported, given: Path | None) -> Exported | None:
    """The fp32 reference of an artifact: ``given``, or the folder beside it with the promised hash.

    Raises:
        DeployError: ``REFERENCE-MISMATCH`` when ``given`` is not what the artifact was exported from.
    """
    wanted = exported.artifact.reference_sha256
    return find_promised(
        exported.folder,
        given,
        open_artifact,
        lambda other: other.artifact.role == "reference" and other.artifact.model_sha256 == wanted,
    )


def find_promised(
    folder: Path, given: Path | None, opened: Callable[[Path], T], promised: Callable[[T], bool]
) -> T | None:
    """``given``, or the neighbour of ``folder`` that keeps its promise; ``None`` where no neighbour does.

    Raises:
        DeployError: ``REFERENCE-MISMATCH`` when ``given`` is not the one that was promised.
    """
    if given is not None:
        reference = opened(given)
        if not promised(reference):
            raise DeployError(
                "REFERENCE-MISMATCH",
                f"{given} is not the reference that {folder} was exported with.",
                "Leave --reference out, or name the folder that the same export wrote.",
                ExitCode.INCOMPARABLE,
            )
        return reference
    for neighbour in sorted(p for p in folder.resolve().parent.iterdir() if p.is_dir()):
        try:
            candidate = opened(neighbour)
        except DeployError:
            continue  # a broken neighbour is nobody's business here
        if promised(candidate):
            return candidate
    return None


def choose(folders: Iterable[Path], include_reference: bool) -> tuple[list[Path], list[Path]]:
    """Split what was typed into folders to bench and references to leave out.

    A glob such as ``artifacts/*`` catches the reference and stray files: a reference is benched only when it
    is the one thing named or ``include_reference`` says so; a folder without a manifest stays in the list,
    to be reported.
    """
    listed = list(folders)
    if include_reference or len(listed) == 1:
        return listed, []
    benched: list[Path] = []
    skipped: list[Path] = []
    for folder in listed:
        try:
            role = _role(folder)
        except DeployError:
            role = "export"
        (skipped if role == "reference" else benched).append(folder)
    return (benched, skipped) if benched else (skipped, [])


def _role(folder: Path) -> str:
    """The role of an artifact or of a bundle."""
    if (folder / BUNDLE).is_file():
        return Bundle.load(folder / BUNDLE).role
    return open_artifact(folder).artifact.role
