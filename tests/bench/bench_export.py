"""Exports and start-up against ultralytics' command line, as whole processes, in turn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.memory import PeakMemory
from tests.bench.row import BenchRow, row_of
from tests.oracles.real import data_root

PAIRS = 3
HELP_PAIRS = 7
_BIN = Path(sys.executable).parent


def run() -> list[BenchRow]:
    """Start-up always; exports where yolov8n-seg's weights are."""
    rows = [_help()]
    weights = data_root() / "yolov8n_seg" / "yolov8n-seg.pt"
    if weights.is_file():
        rows.append(_exports(weights))
        rows.append(_matrix(weights))
    else:
        sys.stdout.write(f"skipped: exports against yolo export ({weights.name} is not there)\n")
    return rows


def _help() -> BenchRow:
    """``deploy --help`` against ``yolo help``."""
    ratios = []
    for _ in range(HELP_PAIRS):
        ours = _seconds([_BIN / "deploy", "--help"], Path.cwd())
        peer = _seconds([_BIN / "yolo", "help"], Path.cwd())
        ratios.append(peer / ours)
    return row_of("deploy --help, faster than yolo help", ratios, 10.0)


def _exports(weights: Path) -> BenchRow:
    """One ``deploy export --target all`` against the sum of three ``yolo export`` calls (wall time, fp32).

    Ours also checks each file's parity, counts its weights and writes golden samples; theirs do not.
    """
    ratios = []
    for pair in range(PAIRS):
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            copy = work / weights.name
            shutil.copyfile(weights, copy)
            command = [_BIN / "deploy", "export", copy, "--target", "all", "-p", "fp32", "--no-cache"]
            halves = [lambda c=command, w=work: _seconds(c, w), lambda c=copy, w=work: _three_exports(c, w)]
            times = [halves[0](), halves[1]()] if pair % 2 == 0 else [halves[1](), halves[0]()][::-1]
            ratios.append(times[0] / times[1])
    return row_of("three exports / three yolo exports", ratios, 0.8, direction="at most")


def _matrix(weights: Path) -> BenchRow:
    """All targets at three precisions at once, against the target that takes longest alone (wall time).

    Prints the most memory that the processes of the former held together.
    """
    pictures = data_root() / "davis16"
    options = ["-p", "fp32,fp16,w8a8", "--no-cache", "--calibration", pictures, "--calibration-count", "16"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        alone = {}
        for target in ("onnx", "coreml", "executorch"):
            command = [_BIN / "deploy", "export", weights, "-t", target, "--out", work / target, *options]
            alone[target] = _seconds(command, work)
        command = [_BIN / "deploy", "export", weights, "-t", "all", "--out", work / "all", *options]
        with PeakMemory() as peak:
            together = _seconds(command, work)
    seconds = ", ".join(f"{target} {taken:.0f} s" for target, taken in alone.items())
    sys.stdout.write(
        f"alone: {seconds}; all together: {together:.0f} s, at most {peak.bytes / 2**30:.1f} GiB\n"
    )
    ratio = together / max(alone.values())
    return row_of("nine exports / the longest target's three", [ratio], 1.25, direction="at most")


def _three_exports(weights: Path, work: Path) -> float:
    """Seconds of ``yolo export`` for ONNX, Core ML and ExecuTorch, one after another."""
    return sum(
        _seconds([_BIN / "yolo", "export", f"model={weights}", f"format={name}"], work)
        for name in ("onnx", "coreml", "executorch")
    )


def _seconds(command: Sequence[object], folder: Path) -> float:
    environment = {**os.environ, "YOLO_OFFLINE": "true", "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    found = run()
    sys.stdout.write("".join(f"{row}\n" for row in found))
    sys.exit(0 if all(row.passed for row in found) else 1)
