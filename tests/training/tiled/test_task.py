"""The task of tiled detection: steps are functions of seed and number, killed runs end in the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deploy.contracts.decode import YoloDecode
from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError
from training.checkpoints import load_checkpoint
from training.detection.settings import TiledOptions
from training.engine.sampling import step_generator
from training.run import train
from training.settings import TrainSettings
from training.tasks.tiled_detection import TiledDetection

SMALL: dict[str, Any] = {"size": 64, "batch": 4, "epochs": 2}


def settings(data: Path, **options: Any) -> TrainSettings:
    """Of a small run."""
    named = TiledOptions(**options).to_json()
    return TrainSettings(task="tiled_detection", data=str(data), **SMALL, options=named)


def test_a_sample_is_the_same_whichever_part_is_asked_for(cameras: Path) -> None:
    task = TiledDetection(settings(cameras))
    indices = np.array([5, 1, 8, 3])
    whole = task.batch(indices, step_generator(0, 7), slice(0, 4))
    for start in (0, 2):
        part = task.batch(indices, step_generator(0, 7), slice(start, start + 2))
        for name, value in part.items():
            assert torch.equal(value, whole[name][start : start + 2]), name
    torch.manual_seed(0)
    from training.models.detector import Detector

    module = Detector(**task.model_args)
    with torch.inference_mode():
        halves = [
            float(task.loss(module.eval(), {name: value[rows] for name, value in whole.items()}, 0))
            for rows in (slice(0, 2), slice(2, 4))
        ]
        assert sum(halves) / 2 == pytest.approx(float(task.loss(module, whole, 0)), rel=1e-5)


def test_a_run_says_how_it_looks_and_what_it_saw(cameras: Path, tmp_path: Path) -> None:
    done = train("tiled_detection", tmp_path / "a", {**SMALL, "data": str(cameras)})
    checkpoint, module = load_checkpoint(tmp_path / "a")
    assert checkpoint.preprocess.tiling == TiledOptions().tiling(64)
    assert checkpoint.preprocess.tiling is not None
    assert (checkpoint.preprocess.tiling.width, checkpoint.preprocess.resize) == (64, "letterbox")
    assert module(torch.zeros(1, 3, 64, 64)).shape == (1, 6, 256)
    metrics = done.checkpoint.metrics
    assert metrics["pasted"] > 0
    assert metrics["seen_without_helmet"] + metrics["seen_with_helmet"] >= metrics["pasted"]
    assert {"mAP50", "F1", "confidence", "recall"} <= set(metrics)
    assert isinstance(checkpoint.decode, YoloDecode)
    assert checkpoint.decode.confidence == pytest.approx(metrics["confidence"], abs=5e-4)


def test_whole_pictures_are_a_choice(cameras: Path) -> None:
    task = TiledDetection(settings(cameras, tile=0))
    assert task.preprocess.tiling is None
    assert task.count <= 9
    assert TiledOptions(tile=320).tiling(64) == Tiling(
        width=320,
        height=320,
        overlap=0.2,
        merge=TiledOptions(tile=320).tiling(64).merge,  # type: ignore[union-attr]
    )


def test_sizes_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="SIZE-INVALID"):
        train("tiled_detection", tmp_path / "a", {"size": 100})
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_run_ends_in_the_same_bits(cameras: Path, tmp_path: Path) -> None:
    """The command line as a user types it, killed as soon as it has saved something, and gone on with."""

    def command(out: str, *more: str) -> list[str]:
        fixed = ["--data", str(cameras), "--out", str(tmp_path / out), "--size", "64", "--epochs", "3"]
        return [sys.executable, "-m", "deploy", "train", "tiled_detection", *fixed, *more]

    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    assert subprocess.run(command("whole"), check=False, **quiet).returncode == 0
    process = subprocess.Popen(command("killed"), **quiet)
    metrics = tmp_path / "killed" / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text()):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "checkpoint.json").exists()
    assert subprocess.run(command("killed", "--resume"), check=False, **quiet).returncode == 0
    for name in ("checkpoint.json", "weights.safetensors", "metrics.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert len(metrics.read_text().splitlines()) == 3
    assert json.loads((tmp_path / "killed" / "config.json").read_text())["size"] == 64
