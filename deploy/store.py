"""The disk is the API: files appear whole or not at all, and are linked by SHA-256."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.errors import DeployError

_CHUNK = 1 << 20


def sha256_bytes(payload: bytes) -> str:
    """Hex SHA-256 of ``payload``."""
    return hashlib.sha256(payload).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes; raises ``FILE-UNREADABLE`` where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from error
    return digest.hexdigest()


def sha256_tree(root: Path) -> str:
    """Hex SHA-256 of a file, or of a folder's relative names and contents in sorted order."""
    if root.is_file():
        return sha256_file(root)
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(bytes.fromhex(sha256_file(path)))
    return digest.hexdigest()


def canonical_json(payload: Any) -> str:
    """JSON with sorted keys and no spare spaces: the form that is hashed."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder or a missing right into the ``DeployError`` that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DeployError(
                "DISK-FULL",
                f"The disk that holds {path} is full; nothing was written.",
                "Free some space, or choose another place with --out.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DeployError(
                "NOT-WRITABLE",
                f"{path} cannot be written ({error.strerror}); nothing was changed.",
                "Choose a folder you own with --out, or mend its rights.",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise DeployError(
                "NOT-A-FOLDER",
                f"{path} cannot be written: a file stands where a folder is needed ({error.filename}).",
                "Choose another place with --out, or move that file.",
            ) from error
        raise


def write_atomic(path: Path, payload: bytes | str) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, never a part (temp, fsync, rename).

    Raises:
        DeployError: ``DISK-FULL`` or ``NOT-WRITABLE``; the old file is then untouched.
    """
    data = payload.encode() if isinstance(payload, str) else payload
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def write_json(path: Path, payload: Any) -> None:
    """Write ``payload`` as indented JSON, atomically. NaN and infinity are refused (they are not JSON)."""
    write_atomic(path, json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file (NaN is no JSON); raises ``FILE-UNREADABLE`` or ``JSON-BROKEN``, with the place."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DeployError(
            "JSON-BROKEN",
            f"{path} is not complete JSON: {error}.",
            "It was cut short or edited; make it again with the command that wrote it.",
        ) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A hidden working folder below ``parent``, gone when the block ends, however it ends.

    After a kill it stays behind as ``.name.PID.*.part``; the next call for the same name sweeps it away (and
    brings back a folder that a kill caught half-way through being replaced).
    """
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent, name)
        work = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}.{os.getpid()}.", suffix=".part"))
        os.chmod(work, 0o777 & ~_umask())
    try:
        with disk_errors(parent):
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def new_folder(final: Path, *, replace: bool = False) -> Iterator[Path]:
    """Build a folder out of sight and move it into place only when the block ends without an error.

    Args:
        final: where the folder appears.
        replace: allow an existing folder there to be swapped out; otherwise ``OUTPUT-EXISTS`` is raised.
    """
    if final.exists() and not replace:
        raise DeployError(
            "OUTPUT-EXISTS", f"{final} is already there.", "Name another place with --out, or remove it."
        )
    with scratch_folder(final.parent, final.name) as work:
        yield work
        _swap(work, final)


def _swap(work: Path, final: Path) -> None:
    """Put ``work`` at ``final``; an older folder there is set aside first and dropped afterwards."""
    _sync_tree(work)
    aside = work.with_suffix(".old")
    if final.exists():
        os.replace(final, aside)
    try:
        os.replace(work, final)
    except BaseException:
        if aside.exists() and not final.exists():
            os.replace(aside, final)
        raise
    _sync_folder(final.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path, name: str) -> None:
    """Clean up after processes that are no longer alive: drop their scratch folders of ``name``, and put a
    folder that was set aside back where nothing took its place."""
    for pattern in (".*.old", ".*.part"):
        for left in parent.glob(f".{glob.escape(name)}{pattern}"):
            owner = left.name.removeprefix(f".{name}.").split(".")[0]
            if not owner.isdigit() or _alive(int(owner)):
                continue
            if left.suffix == ".old" and not (parent / name).exists():
                os.replace(left, parent / name)
            else:
                shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_tree(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems refuse to sync a folder; the rename itself still stands
        pass
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
