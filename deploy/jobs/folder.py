"""A job whose results live in a folder: finished shards are never run again, however the last run ended."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.jobs import ENGINES
from deploy.jobs.protocol import Item, Shard, Work
from deploy.jobs.shard import split
from deploy.store import disk_errors, scratch_folder, write_atomic

SHARDS = "shards"


def run_job(
    work: Work,
    items: Sequence[Item],
    folder: Path,
    told: Callable[[int, int], None],
    *,
    engine: str = "local",
    workers: int = 1,
    shard_size: int = 16,
) -> Path:
    """Carry out ``work`` over ``items`` and return the file of all lines, in the items' order.

    A shard's lines appear whole under ``folder/shards`` as soon as it is finished; what is found there is not
    run again. The file holds the same bytes whatever the engine, the number of workers or of restarts.

    Args:
        folder: of this job alone; made where it is missing.
        told: called with (items finished now, items that were there already).
        engine: a name on the engines' door plate.
        workers: processes that work at once.
        shard_size: items that are lost at most with a killed worker.

    Raises:
        DeployError: ``ENGINE-MISSING``, or what the engine raises.
    """
    opened = ENGINES.open(engine)
    reason = opened.why_not()
    if reason is not None:
        raise DeployError("ENGINE-MISSING", f"The engine {engine!r} cannot be used: {reason}.", "Install it.")
    shards = split(work, items, shard_size)
    kept = folder / SHARDS
    with disk_errors(folder):
        kept.mkdir(parents=True, exist_ok=True)
        missing = [shard for shard in shards if not _file(kept, shard).exists()]
        found = len(items) - sum(len(shard.items) for shard in missing)
        told(0, found)

        def finished(shard: Shard, lines: str) -> None:
            write_atomic(_file(kept, shard), lines)
            told(len(shard.items), found)

        if missing:
            opened(workers).run(work, missing, finished)
        return _joined(folder / "rows.jsonl", [_file(kept, shard) for shard in shards])


def read_rows(rows: Path) -> Iterator[dict[str, Any]]:
    """The lines of a finished job: ``key`` and ``result``, or ``key`` and ``error``."""
    with rows.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _joined(rows: Path, parts: Sequence[Path]) -> Path:
    """All lines in one file, which appears whole."""
    with scratch_folder(rows.parent, rows.name) as work:
        whole = work / rows.name
        with whole.open("wb") as out:
            for part in parts:
                with part.open("rb") as lines:
                    shutil.copyfileobj(lines, out)
            out.flush()
            os.fsync(out.fileno())
        whole.replace(rows)
    return rows


def _file(kept: Path, shard: Shard) -> Path:
    return kept / f"{shard.name}.jsonl"
