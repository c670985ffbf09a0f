"""A harness that dies is a failed run that keeps the samples it had written."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from deploy.artifacts import open_artifact
from device_bench.plans import Measure, write_plan
from device_bench.samples import read_samples
from device_bench.transports.desktop import DesktopTransport
from device_bench.worker import run_worker


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_harness_keeps_its_samples(artifacts: Path, tmp_path: Path) -> None:
    write_plan(open_artifact(artifacts / "exact"), [], Measure(60_000_000_000, 1), tmp_path / "plan")
    timed = threading.Event()

    def kill() -> None:
        timed.wait(30)
        time.sleep(0.1)
        for child in psutil.Process().children():
            child.send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    run = DesktopTransport("").run(
        tmp_path / "plan", tmp_path / "out", lambda stage, done, _: timed.set() if done else None
    )
    killer.join()
    assert run.status == "failed" and run.failure is not None
    assert run.failure.id == "HARNESS-CRASHED" and "SIGKILL" in run.failure.summary
    assert run.samples_count == len(read_samples(tmp_path / "out" / "samples.jsonl")) > 0
    assert (tmp_path / "out" / "run.json").exists()


def test_a_segfault_names_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "falls.py").write_text(
        "import ctypes, faulthandler\nfaulthandler.enable()\nctypes.string_at(0)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = run_worker("falls", [], 1, 30.0, lambda *_: None)
    assert ended.error == "HARNESS-CRASHED"
    assert "SIGSEGV" in ended.summary and 'File "' in ended.summary


def test_a_harness_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run_worker("hangs", [], 1, 0.5, lambda *_: None).error == "HARNESS-TIMED-OUT"


def test_talk_on_stdout_is_no_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talks.py").write_text(
        'print("hello")\nprint(\'{"stage": "x", "done": 1, "total": 2}\')\nprint("[1, 2]")\n'
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    heard: list[tuple[str, float, float]] = []
    assert run_worker("talks", [], 1, 30.0, lambda *words: heard.append(words)).code == 0
    assert heard == [("x", 1, 2)]
