"""Runs a suite in a process of its own, again after a crash, and goes on where an earlier run stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from tests.conformance.suites import Suite

ROOT = Path(__file__).resolve().parents[2]
MOST_CRASHES = 20
SECONDS_A_TEST = 120


def coremltools_folder() -> Path:
    """Where coremltools is installed."""
    found = find_spec("coremltools")
    if found is None or found.origin is None:
        raise SystemExit("coremltools is not installed; type: make install")
    return Path(found.origin).parent


def run_suite(
    suite: Suite, fraction: float, most: int, results: Path, seconds: float, progress: TextIO
) -> list[dict[str, Any]]:
    """Run a suite and return one record a finished test, after the records that count the collection.

    Args:
        suite: what to run.
        fraction: share of every test function, rounded up.
        most: no more tests than that (0: no limit).
        results: folder of the records; tests that are in it already are not run again.
        seconds: stop after so long (0: never); the rest is done by the next run.
        progress: where the progress line goes.
    """
    out = results / f"{suite.name}.jsonl"
    results.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds if seconds else None
    for _ in range(MOST_CRASHES):
        code = _start(suite, fraction, most, out, end, progress)
        found = read(out)
        unfinished = _interrupted(found)
        if code is None or unfinished is None or code in (0, 1, 5):
            break
        with out.open("a", encoding="utf-8") as file:
            crashed = {"id": unfinished, "outcome": "failed", "reason": f"the process ended with {code}"}
            file.write(json.dumps({**crashed, "predictions": 1, "refusals": 0, "seconds": 0.0}) + "\n")
    progress.write("\n")
    return read(out)


def read(out: Path) -> list[dict[str, Any]]:
    """The records of a suite; none when it was never run."""
    if not out.exists():
        return []
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def forget_failures(suite: Suite, results: Path) -> None:
    """Drop the records of tests that failed, so that the next run does them again."""
    out = results / f"{suite.name}.jsonl"
    kept = [each for each in read(out) if each.get("outcome") != "failed"]
    if kept:
        out.write_text("".join(json.dumps(each) + "\n" for each in kept), encoding="utf-8")


def _start(
    suite: Suite, fraction: float, most: int, out: Path, end: float | None, progress: TextIO
) -> int | None:
    """Exit code of pytest; ``None`` when it was stopped because time was up."""
    folder = coremltools_folder()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull]
    command += [f"--rootdir={folder}", "-p", "tests.conformance.plugin", "-q", "--tb=no", "-W", "ignore"]
    command += ["--continue-on-collection-errors"]
    command += [f"--timeout={SECONDS_A_TEST}", f"--conf-out={out.resolve()}"]
    command += [f"--conf-fraction={fraction}", f"--conf-most={most}", *suite.paths]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **suite.switches(), "PYTHONPATH": path}
    log = out.with_suffix(".log")
    with log.open("a", encoding="utf-8") as words:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=words, stderr=words)
        try:
            while process.poll() is None:
                time.sleep(1.0)
                _show(suite, out, progress)
                if end is not None and time.monotonic() > end:
                    return None
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode not in (0, 1, 5) and _interrupted(read(out)) is None:
        tail = log.read_text(encoding="utf-8")[-2000:]
        raise SystemExit(f"{suite.name}: pytest ended with {process.returncode}:\n{tail}")
    return process.returncode


def _interrupted(records: list[dict[str, Any]]) -> str | None:
    """The test that was started and never finished."""
    started = [each["started"] for each in records if "started" in each]
    finished = {each["id"] for each in records if "id" in each}
    return started[-1] if started and started[-1] not in finished else None


def _show(suite: Suite, out: Path, progress: TextIO) -> None:
    if not progress.isatty():
        return
    records = read(out)
    drawn = next((each["drawn"] for each in reversed(records) if "drawn" in each), 0)
    finished = sum("id" in each for each in records)
    failed = sum(each.get("outcome") == "failed" for each in records)
    progress.write(f"\r{suite.name}: {finished}/{drawn}, {failed} failed ")
    progress.flush()
