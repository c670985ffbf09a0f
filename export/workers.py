"""Start one converter process per target, hand out the job, and turn whatever happens into rows."""

from __future__ import annotations

import errno
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from deploy.store import read_json
from deploy.threads import set_environment
from export.job import Row
from export.worker import preload, work

_POLL_SECONDS = 0.05


class Workers:
    """Converter processes that import their libraries while the flow is still capturing the program.

    On Linux they are forked after torch has been imported and before anything ran in it (no thread pool
    exists yet), so that torch is imported once and not once per target: a third of all CPU time saved.
    Where torch has been at work before (a model trained on the spot, a function that had to be called for its
    weights) a forked child would wait for OpenMP threads it does not have; there, and off Linux, they are
    spawned. Use as a context manager: leaving it, by whatever way, ends every process.

    Args:
        wanted: target to precisions.
        folder: the flow's working folder; logs go there.
        threads: threads each converter may use.
    """

    def __init__(self, wanted: Mapping[str, tuple[str, ...]], folder: Path, threads: int) -> None:
        self._wanted = wanted
        self._folder = folder
        self._processes: dict[str, BaseProcess] = {}
        self._senders: dict[str, Connection] = {}
        (folder / "rows").mkdir()
        set_environment(threads)
        forks = sys.platform == "linux" and "torch" not in sys.modules
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        if forks:
            preload()
        for target in wanted:
            receiver, self._senders[target] = context.Pipe(duplex=False)
            copied = tuple(self._senders.values()) if forks else ()
            arguments = (target, receiver, copied, str(folder / f"{target}.log"))
            self._processes[target] = context.Process(target=work, args=arguments, daemon=True)
            self._processes[target].start()
            receiver.close()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        for target, process in self._processes.items():
            process.join()
            self._senders[target].close()

    def run(self, finished: Callable[[Row], None]) -> list[Row]:
        """Hand out the job and collect a row for every target and precision, in the order they were asked.

        Args:
            finished: called with each row as it arrives.
        """
        for sender in self._senders.values():
            with suppress(BrokenPipeError):  # it died while importing; the row below says how
                sender.send(str(self._folder))
        rows: dict[tuple[str, str], Row] = {}
        cells = [(target, precision) for target, each in self._wanted.items() for precision in each]
        while len(rows) < len(cells):
            time.sleep(_POLL_SECONDS)
            ended = {target: process.exitcode for target, process in self._processes.items()}
            for target, precision in cells:
                if (target, precision) in rows:
                    continue
                row = self._read(target, precision)
                if row is None and ended[target] is not None:
                    row = self._read(target, precision) or self._dead(target, precision, ended[target] or 0)
                if row is not None:
                    rows[target, precision] = row
                    finished(row)
        return [rows[cell] for cell in cells]

    def log(self, target: str) -> str:
        """What a converter printed; nothing where it ended before it could."""
        path = self._folder / f"{target}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _read(self, target: str, precision: str) -> Row | None:
        path = self._folder / "rows" / f"{target}-{precision}.json"
        return Row.model_validate(read_json(path)) if path.exists() else None

    def _dead(self, target: str, precision: str, code: int) -> Row:
        """A process that ended without a row: killed by a signal, or failed while importing."""
        if code == errno.ENOSPC:
            return Row(
                target=target,
                precision=precision,
                status="refused",
                error_id="DISK-FULL",
                reason="The disk is full; not even the reason could be written.",
                remedy="Free some space, or choose another place with --out.",
            )
        lines = [line for line in self.log(target).splitlines() if line.strip()]
        last = lines[-1][:300] if lines else "it printed nothing"
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return Row(
            target=target,
            precision=precision,
            status="crashed",
            error_id="CONVERTER-CRASHED",
            reason=f"The {target} converter {how}: {last}",
            remedy="Check the versions with: deploy doctor",
        )
