"""Move files out of a data set, and back: written down before the first move, nothing deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.errors import DeployError
from deploy.store import disk_errors, read_json, write_json

MANIFEST = "undo.json"
_LABELS = ("labels", "ignore", "masks")


@dataclass(frozen=True)
class Move:
    """``file``: relative path of what is moved; ``original``: of the picture it repeats; ``reason``: why."""

    file: str
    original: str
    reason: str


def set_aside(root: Path, moves: Sequence[Move]) -> Path:
    """Move the files (and label files beside them) to a folder beside ``root``; return the undo manifest.

    The manifest names every move before the first one is made, and each move is one rename on one disk, so
    whenever the process dies, every file is in one of the two places that the manifest names.

    Raises:
        DeployError: ``NOT-WRITABLE`` and the like; ``QUARANTINE-CLASH`` when a place is taken.
    """
    store = _new_store(root)
    every = [each for move in moves for each in (move, *_labels_of(root, move))]
    payload: dict[str, Any] = {
        "quarantine_of": str(root.resolve()),
        "files": str((store / "files").resolve()),
        "moves": [{"file": m.file, "original": m.original, "reason": m.reason} for m in every],
    }
    manifest = store / MANIFEST
    write_json(manifest, payload)
    for move in every:
        _rename(root / move.file, store / "files" / move.file)
    return manifest


def bring_back(manifest: Path) -> tuple[int, int]:
    """Undo a quarantine, as far as it came: files brought back, and files that had never left.

    Raises:
        DeployError: ``MANIFEST-BROKEN``, or ``QUARANTINE-CLASH`` where a file lies in both places or in
            neither; files before it are back, and the same command goes on once that is mended.
    """
    payload = read_json(manifest)
    try:
        root, files = Path(payload["quarantine_of"]), Path(payload["files"])
        moves = [_inside(str(move["file"]), manifest) for move in payload["moves"]]
    except (KeyError, TypeError) as error:
        raise _broken(manifest, f"it lacks {error}") from error
    back = stayed = 0
    for file in reversed(moves):
        here, there = (root / file).exists(), (files / file).exists()
        if here == there:
            where = "both places" if here else "neither place"
            raise DeployError(
                "QUARANTINE-CLASH",
                f"{file} lies in {where}: {root} and {files}.",
                "Compare the two and put one back by hand, then type the same command.",
            )
        if there:
            _rename(files / file, root / file)
        back, stayed = back + there, stayed + here
    return back, stayed


def _new_store(root: Path) -> Path:
    """``ROOT.quarantine/TIME`` beside the data set, where no loader of it looks."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    parent = root.resolve().parent / f"{root.resolve().name}.quarantine"
    with disk_errors(parent):
        for number in range(1000):
            store = parent / (stamp if number == 0 else f"{stamp}-{number}")
            try:
                store.mkdir(parents=True)
            except FileExistsError:
                continue
            return store
    raise AssertionError("a thousand quarantines in one second")


def _labels_of(root: Path, move: Move) -> list[Move]:
    """Label files of a picture in ``images/``, under the same relative path."""
    parts = PurePosixPath(move.file).parts
    if "images" not in parts:
        return []
    place = len(parts) - 1 - parts[::-1].index("images")
    found = []
    for folder in _LABELS:
        stem = PurePosixPath(*parts[:place], folder, *parts[place + 1 :])
        for suffix in (".txt", ".png"):
            file = stem.with_suffix(suffix)
            if (root / file).is_file():
                found.append(Move(file.as_posix(), move.original, f"belongs to {move.file}"))
    return found


def _rename(source: Path, target: Path) -> None:
    """Move one file without ever replacing another."""
    if target.exists():
        raise DeployError(
            "QUARANTINE-CLASH", f"{target} is already there.", "Move it away, then type the same command."
        )
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def _inside(file: str, manifest: Path) -> str:
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        raise _broken(manifest, f"{file} leads out of the folder")
    return file


def _broken(manifest: Path, why: str) -> DeployError:
    return DeployError(
        "MANIFEST-BROKEN", f"{manifest} is no undo manifest: {why}.", "Name the undo.json of a quarantine."
    )
