"""One training run: a folder, its settings, the loop and the checkpoint at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import console
from deploy.errors import DeployError
from training.checkpoints import read_checkpoint, save_checkpoint
from training.run_files import CHECKPOINT, CONFIG, DATA, RESUME
from training.settings import TrainSettings

if TYPE_CHECKING:
    from deploy.contracts.checkpoint import Checkpoint

GENERATED = "generated"
_EPOCHS_GENERATED, _EPOCHS_FOLDER = 6, 60


@dataclass(frozen=True)
class Finished:
    """A finished run. ``epochs``: epochs trained, or 0 when it had been finished before."""

    folder: Path
    checkpoint: Checkpoint
    epochs: int


def train(task: str, out: Path, asked: Mapping[str, Any] | None = None, *, resume: bool = False) -> Finished:
    """Train ``task`` into ``out``, or go on with what is there.

    Args:
        task: a name on the door plate of ``training.tasks``.
        out: the run folder.
        asked: settings by name; what is absent or ``None`` takes its default, or on resume what the run was
            started with.
        resume: go on with an unfinished run. The result is then the same, to the bit, as if it had never
            been stopped; a finished run is returned as it is.

    Raises:
        DeployError: ``OUTPUT-EXISTS``, ``RUN-UNFINISHED``, ``RUN-BUSY``, ``RESUME-MISMATCH``,
            ``DATA-CHANGED``, and what data and model raise.
    """
    from training.engine.lock import only_trainer
    from training.tasks import TASKS

    TASKS.check(task)
    given = {key: value for key, value in (asked or {}).items() if value is not None}
    _refuse_taken(task, out, resume)
    with only_trainer(out):
        settings = _settings(task, out, given)
        if (out / CHECKPOINT).is_file():
            (out / RESUME).unlink(missing_ok=True)  # a kill between the last two writes leaves it
            console.note(f"{out} is already finished.")
            return Finished(out, read_checkpoint(out), 0)
        return _train(settings, out)


def train_demo(out: Path) -> Path:
    """Train the demonstration model on generated clips (about a minute), or finish it; returns the folder."""
    from deploy.threads import set_environment

    set_environment()
    return train("binary_masks", out, resume=True).folder


def _train(settings: TrainSettings, out: Path) -> Finished:
    """The run itself: data, loop, checkpoint."""
    from deploy.toolchain import versions
    from training.engine.determinism import deterministic
    from training.engine.loop import Trainer
    from training.tasks import TASKS

    with deterministic(settings.threads):
        task = TASKS.open(settings.task)(settings)
        _pin(out, settings, task.data_sha256)
        trainer = Trainer(task, settings, out)
        trainer.run()
    best = trainer.history[trainer.stopping.best_epoch]
    facts = {
        "task": settings.task,
        "model": task.model,
        "model_args": task.model_args,
        "preprocess": task.preprocess,
        "decode": task.decode,
        "data": settings.data,
        "data_sha256": task.data_sha256,
        "seed": settings.seed,
        "step": best["step"],
        "epoch": best["epoch"],
        "metrics": {key: best[key] for key in sorted(best.keys() - {"step", "epoch"})},
        "toolchain": versions("torch", "timm", "numpy", "opencv-python-headless"),
    }
    checkpoint = save_checkpoint(out, trainer.best, facts)
    (out / RESUME).unlink(missing_ok=True)
    return Finished(out, checkpoint, len(trainer.history))


def _refuse_taken(task: str, out: Path, resume: bool) -> None:
    """Never write over a run that nobody asked to go on with."""
    if resume:
        return
    command = f"deploy train {task} --out {out} --resume"
    if (out / CHECKPOINT).is_file():
        raise DeployError(
            "OUTPUT-EXISTS", f"{out} holds a finished run.", f"Choose another --out, or keep it: {command}"
        )
    if (out / CONFIG).is_file():
        raise DeployError(
            "RUN-UNFINISHED", f"{out} holds a run that was stopped.", f"Go on with it: {command}"
        )
    if out.is_file() or (out.is_dir() and any(path.name != ".lock" for path in out.iterdir())):
        raise DeployError("OUTPUT-EXISTS", f"{out} is there and is no training run.", "Choose another --out.")


def _settings(task: str, out: Path, given: dict[str, Any]) -> TrainSettings:
    """The settings the run was started with, or new ones, which are then written down."""
    path = out / CONFIG
    if path.is_file():
        settings = TrainSettings.load(path)
        for key, value in {"task": task, **given}.items():
            kept = getattr(settings, key)
            if kept != value:
                raise DeployError(
                    "RESUME-MISMATCH",
                    f"{out} was started with {key} {kept}, not {value}.",
                    f"Leave --{key.replace('_', '-')} out to go on with it, or choose another --out.",
                )
        return settings
    given.setdefault("data", GENERATED)
    given.setdefault("epochs", _EPOCHS_GENERATED if given["data"] == GENERATED else _EPOCHS_FOLDER)
    return TrainSettings(task=task, **given)


def _pin(out: Path, settings: TrainSettings, data_sha256: str) -> None:
    """Write down what is trained on and how, once both are known to be usable; refuse other data later."""
    from deploy.store import write_atomic

    if not (out / CONFIG).is_file():
        write_atomic(out / DATA, f"{data_sha256}\n")
        settings.save(out / CONFIG)
    elif (out / DATA).read_text().strip() != data_sha256:
        raise DeployError(
            "DATA-CHANGED",
            f"The data in {settings.data} is not what {out} was started with.",
            "Put the data back as it was, or train to another --out.",
        )
