"""A harness program in a process of its own: started, followed line by line, and its end explained."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from deploy.threads import usable_cores, worker_environment
from device_bench.transports.protocol import Progress


@dataclass(frozen=True)
class Ended:
    """How a worker ended. ``error`` is a stable id, ``summary`` a sentence; both empty for exit code 0."""

    code: int
    error: str
    summary: str


def run_worker(
    module: str, arguments: Sequence[str], threads: int, limit_s: float, progress: Progress
) -> Ended:
    """Run ``python -m module arguments`` to its end; killed after ``limit_s`` seconds or on Ctrl-C here."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            env=worker_environment(min(threads, usable_cores())),
        )
        timed_out = _follow(process, limit_s, progress)
        return _explain(process.returncode, timed_out, _last_words(stderr))


def _follow(process: subprocess.Popen[str], limit_s: float, progress: Progress) -> bool:
    """Pass progress lines on until the process ends; kill it at the limit. True when it was killed so."""
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        process.kill()

    timer = threading.Timer(limit_s, stop)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                _pass_on(line, progress)
        process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
    return timed_out.is_set()


def _pass_on(line: str, progress: Progress) -> None:
    """A progress line; anything else on stdout is a native library talking, and is dropped."""
    try:
        message = json.loads(line)
        stage, done, total = message["stage"], message["done"], message["total"]
    except (ValueError, KeyError, TypeError):
        return
    progress(stage, done, total)


def _explain(code: int, timed_out: bool, words: str) -> Ended:
    if timed_out:
        return Ended(code, "HARNESS-TIMED-OUT", "The harness was killed at its time limit.")
    if code == 0:
        return Ended(code, "", "")
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (often: out of memory)" if name == "SIGKILL" else ""
        return Ended(code, "HARNESS-CRASHED", f"The harness died of {name}{hint}. {words}".strip())
    return Ended(
        code, "HARNESS-CRASHED", f"The harness ended with code {code} and no result. {words}".strip()
    )


def _last_words(stream: IO[str]) -> str:
    """What stderr says most: faulthandler's innermost frame, else the last line."""
    stream.seek(0)
    lines = [line.strip() for line in stream.read().splitlines() if line.strip()]
    frames = [line for line in lines if line.startswith("File ")]
    return " ".join(frames[:1] or lines[-1:])[:300]
