"""A run killed with SIGKILL at any moment and resumed ends in the same files, to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from training.data.davis_writer import write_clips

DRIVER = Path(__file__).with_name("kill_driver.py")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    data, runs = tmp_path / "data", tmp_path / "runs"
    runs.mkdir()
    write_clips(data, 4, 4, seed=1, size=40, part="training")
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(data), str(runs)],
        capture_output=True,
        text=True,
        timeout=880,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [row for row in rows if not row["same"]]
    assert not wrong
    renames = [row for row in rows if row["name"].startswith("rename-")]
    assert len(renames) >= 20
    assert all(row["killed"] == 1 for row in renames)
    assert sum(row["killed"] for row in rows if row["name"].startswith("timer-")) >= 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_real_command_survives_kills(tmp_path: Path) -> None:
    """No fork and no hook: the command line as a user types it, killed by the clock."""
    data = tmp_path / "data"
    write_clips(data, 3, 4, seed=1, size=40, part="training")

    def command(out: str, *more: str) -> list[str]:
        fixed = ["--data", str(data), "--out", str(tmp_path / out), "--size", "32", "--epochs", "6"]
        return [sys.executable, "-m", "deploy", "train", "binary_masks", *fixed, *more]

    def run(out: str, limit: float | None, *more: str) -> int | None:
        process = subprocess.Popen(command(out, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    assert run("whole", None) == 0
    for limit in (4.0, 11.0, 14.0):
        run("killed", limit, "--resume")
    assert run("killed", None, "--resume") == 0
    for name in ("checkpoint.json", "weights.safetensors", "metrics.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
