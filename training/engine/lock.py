"""One trainer a run folder: a lock that the system takes back when its holder dies."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import DeployError
from deploy.store import disk_errors

_LOCK = ".lock"


@contextmanager
def only_trainer(folder: Path) -> Iterator[None]:
    """Hold the run folder; raises ``RUN-BUSY`` when another process trains there.

    A folder in which nothing was kept goes away again.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / _LOCK).open("w")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DeployError(
                "RUN-BUSY",
                f"Another process is training in {folder}.",
                "Wait for it, or choose another --out.",
            ) from error
        for torn in folder.glob(".*.tmp"):  # left by a kill in the middle of a write
            torn.unlink(missing_ok=True)
        try:
            yield
        finally:
            if [path.name for path in folder.iterdir()] == [_LOCK]:  # refused before anything was kept
                shutil.rmtree(folder)
