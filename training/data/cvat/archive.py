"""Unpack an archive that came from elsewhere: nothing outside its folder, nothing that swells."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from deploy.errors import DeployError
from deploy.store import disk_errors

MOST_BYTES = 256 << 30
"""All files together."""

MOST_FILES = 5_000_000

_BLOWN_UP = 200
_BLOWN_UP_FROM = 10 << 20
"""Files above this size that were packed more than 200-fold: no picture and no label file is."""


def unpack_archive(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Unpack a ZIP file into an empty folder; every name and size is checked before the first byte is
    written.

    Raises:
        DeployError: ``ARCHIVE-BROKEN`` or ``ARCHIVE-UNSAFE``.
    """
    try:
        with zipfile.ZipFile(archive) as package:
            entries = [entry for entry in package.infolist() if not entry.is_dir()]
            _check(archive, entries, most_bytes)
            for entry in entries:
                target = folder / entry.filename
                with disk_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with package.open(entry) as source, target.open("xb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, EOFError, RuntimeError, FileNotFoundError, IsADirectoryError) as error:
        raise DeployError(
            "ARCHIVE-BROKEN", f"{archive} cannot be unpacked ({error}).", "Export the package again."
        ) from error


def _check(archive: Path, entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
    if len(entries) > MOST_FILES:
        raise _unsafe(archive, f"it holds {len(entries)} files")
    seen: set[str] = set()
    total = 0
    for entry in entries:
        name = entry.filename
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0] or "\0" in name:
            raise _unsafe(archive, f"{name!r} leads out of its folder")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _unsafe(archive, f"{name} is a link")
        if entry.flag_bits & 1:
            raise _unsafe(archive, f"{name} is encrypted")
        if path.as_posix() in seen:
            raise _unsafe(archive, f"{name} is in it twice")
        seen.add(path.as_posix())
        if entry.file_size > _BLOWN_UP_FROM and entry.file_size > _BLOWN_UP * max(entry.compress_size, 1):
            raise _unsafe(archive, f"{name} grows from {entry.compress_size} to {entry.file_size} bytes")
        total += entry.file_size
        if total > most_bytes:
            raise _unsafe(archive, f"its files take more than {most_bytes} bytes")


def _unsafe(archive: Path, why: str) -> DeployError:
    return DeployError(
        "ARCHIVE-UNSAFE",
        f"{archive} is not unpacked: {why}.",
        "Export the package again, from a source you trust.",
    )
