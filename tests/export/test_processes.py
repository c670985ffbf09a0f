"""Converter processes that crash, are killed or outlive their flow; flows that are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import cli
from export.build import build
from tests.export.fakes import InProcess
from tests.export.toys import Toy, export

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.usefixtures("processes")]

PATIENCE_SECONDS = 240


def wait_for(what: str, found: object) -> object:
    """Poll until ``found()`` is true; a generous limit ends a test that would hang."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < limit:
        value = found()  # type: ignore[operator]
        if value:
            return value
        time.sleep(0.1)
    pytest.fail(f"{what} did not happen")


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def start(toy: Toy, *targets: str) -> subprocess.Popen[str]:
    """The command line as a user types it, with a SIGINT that works."""
    out = str(toy.root / "artifacts")
    arguments = [
        "--input",
        "image=1x3x64x64",
        "-p",
        "fp32",
        "--out",
        out,
        "--name",
        "toy",
        "--sample-count",
        "2",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "deploy", "export", toy.request().spec, "-t", ",".join(targets), *arguments],
        cwd=toy.root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def begun(toy: Toy) -> int | None:
    """Process id of the waiting converter, once it is at work."""
    for mark in (toy.root / "artifacts").glob(".export.*.part/Waits-fp32/begun"):
        return int(mark.read_text() or 0) or None
    return None


def test_converters_that_die_become_rows_while_others_are_built(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = ("Aborts", "Vanishes", "CannotStart", "Quick")
    results = export(toy.request(targets=targets))
    rows = {target: results[target, "fp32"].row for target in targets}
    assert results["torch", "fp32"].artifact is not None
    assert results["Quick", "fp32"].artifact is not None
    assert "SIGABRT" in str(rows["Aborts"].reason)  # type: ignore[union-attr]
    assert "SIGKILL" in str(rows["Vanishes"].reason)  # type: ignore[union-attr]
    assert "libfake.so.7" in str(rows["CannotStart"].reason)  # type: ignore[union-attr]
    for target in targets[:3]:
        row = rows[target]
        assert row is not None
        assert (row.status, row.error_id) == ("crashed", "CONVERTER-CRASHED")
        assert row.remedy
    logs = [f"{target}-fp32.crash.log" for target in sorted(targets[:3])]
    assert toy.left() == [*logs, "toy-Quick-fp32", "toy-reference"]
    assert "CannotStart-fp32.crash.log" in capsys.readouterr().err


def test_the_command_says_which_and_ends_with_three(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--input", "image=1x3x64x64", "-p", "fp32", "--out", str(toy.root / "artifacts")]
    assert cli.run(["export", toy.request().spec, "-t", "Aborts,Quick", *arguments]) == 3
    shown = capsys.readouterr().out
    assert "CONVERTER-CRASHED" in shown
    assert "SIGABRT" in shown
    assert "built" in shown
    assert "deploy verify" in shown


def test_ctrl_c_leaves_no_half_artifact_and_no_process(toy: Toy) -> None:
    flow = start(toy, "Waits", "Quick")
    worker = wait_for("the conversion", lambda: begun(toy))
    assert isinstance(worker, int)
    flow.send_signal(signal.SIGINT)
    _, shown = flow.communicate(timeout=PATIENCE_SECONDS)
    assert flow.returncode == 130
    assert "INTERRUPTED" in shown
    assert "Traceback" not in shown
    assert toy.left() == []
    assert not alive(worker)


def test_a_killed_flow_takes_its_workers_along_and_the_next_one_sweeps(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = start(toy, "Waits")
    worker = wait_for("the conversion", lambda: begun(toy))
    assert isinstance(worker, int)
    os.kill(flow.pid, signal.SIGKILL)
    flow.communicate()
    wait_for("the worker's end", lambda: not alive(worker))
    left = toy.left()
    assert len(left) == 1
    assert left[0].startswith(".export.")
    monkeypatch.setattr("export.build.Workers", InProcess)
    build(toy.request(targets=("Quick",)))
    assert toy.left() == ["toy-Quick-fp32", "toy-reference"]


def test_a_second_export_beside_a_running_one_leaves_it_alone(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = start(toy, "Waits")
    wait_for("the conversion", lambda: begun(toy))
    monkeypatch.setattr("export.build.Workers", InProcess)
    build(toy.request(targets=("Quick",), name="other"))
    assert begun(toy) is not None
    flow.send_signal(signal.SIGINT)
    flow.communicate(timeout=PATIENCE_SECONDS)
    assert toy.left() == ["other-Quick-fp32", "other-reference"]


def test_a_flow_whose_torch_has_been_at_work_is_not_forked_into_a_hang(toy: Toy) -> None:
    """OpenMP's threads do not survive a fork: a forked converter would wait for them for ever."""
    code = f"""
import sys, torch
from dataclasses import replace
from pathlib import Path
from export.build import build
from export.request import ExportRequest

if __name__ == "__main__":
    torch.set_num_threads(2)
    big = torch.randn(600, 600)
    print((big @ big).relu().sum().item())
    request = ExportRequest(
        spec={toy.request().spec!r}, targets=("Quick",), precisions=("fp32",), out=Path("artifacts"),
        name="toy", inputs=(("image", (1, 3, 64, 64)),), sample_count=2, threads=2,
    )
    print([result.artifact is not None for result in build(request)])
"""
    script = toy.root / "at_work.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=toy.root, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("[True, True]\n")
