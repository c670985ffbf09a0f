"""Kill training runs with SIGKILL at many moments and resume them: run as a script by ``test_kill.py``.

The heavy imports happen once; every run is a forked child that calls the real command line. Children kill
themselves just before or just after the n-th rename (a file appearing), or are killed by the parent after a
random delay.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.threads import set_environment

set_environment()

import torch._dynamo  # noqa: E402, F401  (torch imports it at the first step of an optimizer)

import deploy.cli  # noqa: E402
import training.engine.loop  # noqa: E402
import training.models.segmenter  # noqa: E402
import training.tasks.binary_masks  # noqa: E402


def arguments(data: str, out: Path, *more: str) -> list[str]:
    """The command line of one run."""
    fixed = ["--size", "32", "--batch", "4", "--epochs", "3", "--json"]
    return ["train", "binary_masks", "--data", data, "--out", str(out), *fixed, *more]


def child(command: list[str], prepare: Callable[[], None] | None = None, after_s: float | None = None) -> int:
    """Run a command line in a forked child, killed after ``after_s`` seconds; returns its wait status."""
    pid = os.fork()
    if pid == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        if prepare:
            prepare()
        training.engine.loop._SAVE_EVERY_S = 0.0  # save after every step, so that a kill meets many states
        os._exit(deploy.cli.run(command))
    if after_s is not None:
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def die_at_rename(number: int, before: bool, count: Path | None = None) -> Callable[[], None]:
    """Make this process kill itself at its n-th ``os.replace``, before or after the rename.

    ``count``: a file that takes a byte for every rename.
    """

    def prepare() -> None:
        real, seen = os.replace, [0]

        def replace(*names: str) -> None:
            seen[0] += 1
            if count is not None:
                count.write_bytes(b"." * seen[0])
            if seen[0] == number and before:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*names)
            if seen[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replace  # type: ignore[assignment]

    return prepare


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but its lock."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def main(data: str, root: Path) -> None:
    """Run all scenarios; writes one JSON line each: name, killed, same."""
    started = time.monotonic()
    count = root / "renames"
    assert child(arguments(data, root / "whole"), die_at_rename(0, True, count)) == 0
    renames = count.stat().st_size
    length = time.monotonic() - started
    expected = contents(root / "whole")
    chance = random.Random(time.time_ns())
    scenarios: list[tuple[str, Callable[[], None] | None, list[float | None]]] = [
        (f"rename-{number}-{'before' if before else 'after'}", die_at_rename(number, before), [None])
        for number in range(1, renames + 1)
        for before in (True, False)
    ]
    for number in range(6):
        delays: list[float | None] = [chance.uniform(0.05, length) for _ in range(3)]
        scenarios.append((f"timer-{number}", None, delays))
    for name, prepare, delays in scenarios:
        out = root / name
        killed = 0
        for turn, delay in enumerate(delays):
            resume = ["--resume"] if turn else []
            killed += os.WIFSIGNALED(child(arguments(data, out, *resume), prepare, delay))
        status = child(arguments(data, out, "--resume"))
        same = status == 0 and contents(out) == expected
        sys.stdout.write(json.dumps({"name": name, "killed": killed, "same": same, "status": status}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
