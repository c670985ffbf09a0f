"""Work in a process of its own: known problems travel home as errors, a crash as a reason."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event
from typing import Any

from deploy.errors import DeployError

_POLL_SECONDS = 0.2
_GOODBYE_SECONDS = 5.0

Tell = Callable[[Any], None]
Work = Callable[..., None]


def in_process(work: Work, arguments: tuple[Any, ...], heard: Tell, stop: Event | None = None) -> str | None:
    """Run ``work(tell, *arguments)`` in a fresh process and hand what it tells to ``heard``.

    Args:
        work: a function of a module, which the new process imports.
        arguments: whatever can be pickled.
        stop: ends the process early when it is set (Ctrl-C, or another file's error).

    Returns:
        ``None`` when the work came to its end, else why it did not: the exception of a native runtime, its
        signal, or ``stopped``.

    Raises:
        DeployError: the one that the work raised; a model that cannot be loaded is a reason instead.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = context.Process(target=_child, args=(sender, log.name, work, arguments), daemon=True)
        return _listen(process, receiver, sender, heard, Path(log.name), stop)


def _listen(
    process: BaseProcess,
    receiver: Connection,
    sender: Connection,
    heard: Tell,
    log: Path,
    stop: Event | None,
) -> str | None:
    """Start the process and take its messages until it ends, one way or the other."""
    process.start()
    sender.close()
    try:
        while True:
            while not receiver.poll(_POLL_SECONDS):
                if stop is not None and stop.is_set():
                    return "stopped"
            kind, payload = receiver.recv()
            if kind == "end":
                process.join(_GOODBYE_SECONDS)  # killed while it tidies up, it would leave semaphores behind
                return None
            if kind == "error":
                raise DeployError.from_dict(payload)
            if kind == "failure":
                return str(payload)
            heard(payload)
    except EOFError:
        process.join()
        return _died(process.exitcode or 0, log)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        receiver.close()


def _died(code: int, log: Path) -> str:
    """How a process ended that did not say so itself, with the last line its native code printed."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = f" ({lines[-1][:200]})" if lines else ""
    if code < 0:
        return f"its runtime was killed by {signal.Signals(-code).name}{last}"
    return f"its runtime ended with code {code}{last}"


def _child(sender: Connection, log: str, work: Work, arguments: tuple[Any, ...]) -> None:
    """The process itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    quiet = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(quiet, 1)  # native runtimes chat on both streams
    os.dup2(quiet, 2)
    try:
        work(lambda payload: sender.send(("told", payload)), *arguments)
        sender.send(("end", None))
    except DeployError as error:
        kind = "failure" if error.error_id == "MODEL-UNLOADABLE" else "error"
        sender.send((kind, error.summary if kind == "failure" else error.to_dict()))
    except Exception as error:
        sender.send(("failure", f"{type(error).__name__}: {error}"))
    sender.close()
