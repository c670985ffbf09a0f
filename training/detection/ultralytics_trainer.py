"""The trainer of ultralytics behind the interface of our loop: tiles go in, our checkpoint comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from deploy import console
from deploy.console import progress
from deploy.errors import DeployError
from deploy.store import read_json, write_json
from training.detection.opening import TiledSides
from training.detection.settings import TiledOptions
from training.detection.yolo_folder import write_yolo
from training.engine.early_stopping import EarlyStopping
from training.engine.parallel import Group
from training.models.ultralytics_yolo import load_yolo
from training.settings import TrainSettings
from training.tasks.protocol import Task

PREFIX = "ultralytics:"

_FOLDER, _TILES = "ultralytics", "tiles"
_WORKER = "training.models.ultralytics_yolo.worker"
_SHOWN = 1500
"""Characters of a crashed worker's last words."""


class UltralyticsTrainer:
    """See ``training.engine.learner.Learner``. One record stands for the whole run: its best epoch, judged by
    our own figures on our own tiles.

    A killed run goes on from the last epoch that ultralytics saved. That is not the same to the bit: it keeps
    its weights in 16 bits.
    """

    def __init__(
        self,
        task: Task,
        settings: TrainSettings,
        folder: Path,
        group: Group | None = None,
        fresh: Collection[str] = (),
        *,
        sides: TiledSides,
    ) -> None:
        if group is not None and group.size > 1:
            raise DeployError(
                "YOLO-PARALLEL",
                "ultralytics' trainer runs in one process of its own.",
                "Start it without torchrun.",
            )
        self._task, self._settings, self._folder, self._sides = task, settings, folder, sides
        self._options = TiledOptions(**settings.options)
        self.history: list[dict[str, Any]] = []
        self.stopping = EarlyStopping(settings.patience, settings.min_delta)
        self.best: dict[str, Tensor] = {}

    @property
    def step(self) -> int:
        """Steps done, once it has ended."""
        return int(self.history[-1]["step"]) if self.history else 0

    def save(self) -> None:
        """ultralytics saves after every epoch by itself."""

    def run(self) -> None:
        """Write the tiles, let the worker prove and train, judge its best weights, and take them over."""
        work = self._folder / _FOLDER
        names = self._sides.training.source.class_names or ()
        tiles = self._folder / _TILES
        if not tiles.is_dir():
            sides = {"train": self._sides.training.as_set(), "val": self._sides.validation}
            write_yolo(tiles, sides, names)
        asked = read_parameters(self._options.yolo)
        settings = self._settings
        args = {
            "model": model_file(self._options.detector),
            "data": str((tiles / "data.yaml").resolve()),
            "epochs": settings.epochs,
            "patience": settings.patience or settings.epochs,
            "imgsz": settings.size,
            "batch": settings.batch,
            "seed": settings.seed,
        }
        job = {"args": args, "asked": asked, "cuda": torch.cuda.is_available()}
        write_json(work / "job.json", job)
        result = self._work(work)
        console.table(
            "Parameters of ultralytics, proved", ("parameter", "changes"), list(result["proved"].items())
        )
        yolo = load_yolo(Path(result["best"]))
        self._task.model_args = {"layout": yolo.layout, "classes": len(names)}
        self.best = {name: value.clone() for name, value in yolo.module.state_dict().items()}
        figures = self._task.validate(yolo.module)
        epoch = int(result["epochs"]) - 1
        record = {"epoch": epoch, "step": result["steps"], "train_loss": result["train_loss"], **figures}
        self.history.append(record)
        self.stopping.observe(figures[self._task.primary], 0)

    def _work(self, work: Path) -> dict[str, Any]:
        """Run the worker, showing its epochs; raises what it refused, or ``YOLO-CRASHED``."""
        (work / "result.json").unlink(missing_ok=True)
        log = work / "log.txt"
        command = [sys.executable, "-m", _WORKER, str((work / "job.json").resolve())]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._settings.threads)}
        root = str(Path(__file__).parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        epochs = work / "train" / "results.csv"
        with log.open("w") as stream, progress("Training (ultralytics)", self._settings.epochs) as bar:
            process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)
            try:
                done = 0
                while process.poll() is None:
                    now = max(0, len(epochs.read_text().splitlines()) - 1) if epochs.is_file() else 0
                    bar.advance(max(0, now - done))
                    done = max(done, now)
                    try:
                        process.wait(0.5)
                    except subprocess.TimeoutExpired:
                        continue
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if process.returncode or not (work / "result.json").is_file():
            last = log.read_text(errors="replace")[-_SHOWN:]
            raise DeployError(
                "YOLO-CRASHED",
                f"ultralytics' trainer ended with status {process.returncode}: {last.strip()}",
                f"Read {log}; go on with --resume once it is mended.",
            )
        result: dict[str, Any] = read_json(work / "result.json")
        if "error" in result:
            raise DeployError.from_dict(result)
        return result


def model_file(detector: str) -> str:
    """The file after ``ultralytics:``, absolute where it is there; raises ``UNKNOWN-DETECTOR``."""
    name = detector.removeprefix(PREFIX)
    path = Path(name)
    if not detector.startswith(PREFIX) or path.suffix not in (".yaml", ".pt"):
        raise DeployError(
            "UNKNOWN-DETECTOR",
            f"{detector!r} is no detector.",
            "Choose own, or ultralytics:FILE with a .yaml such as yolov8n-p2.yaml or a .pt file.",
        )
    if path.suffix == ".pt" and not path.is_file():
        raise DeployError(
            "CHECKPOINT-MISSING", f"{path} does not exist, and nothing is downloaded.", "Check the path."
        )
    return str(path.resolve()) if path.is_file() else name


def read_parameters(pairs: Collection[str]) -> Mapping[str, Any]:
    """``("multi_scale=0.3", ...)`` as typed values; raises ``SETTING-INVALID`` for what is no pair."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise DeployError(
                "SETTING-INVALID",
                f"{pair!r} sets no parameter of ultralytics.",
                "Write --set yolo=NAME=VALUE,NAME=VALUE",
            )
        found[name.strip()] = yaml.safe_load(value)
    return found
