"""One training run: a folder, its settings, the loop and the checkpoint at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import console
from deploy.contracts.decode import Decode, YoloDecode
from deploy.errors import DeployError
from training.checkpoints import read_checkpoint, save_checkpoint
from training.extension import extend
from training.options import read_options
from training.pinning import RESET_FREES, begin_anew, pin
from training.run_files import CHECKPOINT, CONFIG, RESUME
from training.settings import TrainSettings

if TYPE_CHECKING:
    from deploy.contracts.checkpoint import Checkpoint
    from training.engine.learner import Learner
    from training.engine.parallel import Group

GENERATED = "generated"
_EPOCHS_GENERATED, _EPOCHS_FOLDER = 6, 60


@dataclass(frozen=True)
class Finished:
    """A finished run. ``epochs``: epochs trained, or 0 when it had been finished before."""

    folder: Path
    checkpoint: Checkpoint
    epochs: int


def train(
    task: str,
    out: Path,
    asked: Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    more_epochs: int = 0,
    reset: tuple[str, ...] = (),
) -> Finished:
    """Train ``task`` into ``out``, or go on with what is there.

    Args:
        task: a name on the door plate of ``training.tasks``.
        out: the run folder.
        asked: settings by name, ``options`` among them; what is absent or ``None`` takes its default, or on
            resume what the run was started with.
        resume: go on with an unfinished run. The result is then the same, to the bit, as if it had never
            been stopped; a finished run is returned as it is.
        more_epochs: let a finished run go on for so many more.
        reset: parts of the model that start anew on resume (``text``: tower and projection); the sanctioned
            way to another tokenizer. It is written down in the checkpoint.

    Raises:
        DeployError: ``OUTPUT-EXISTS``, ``RUN-UNFINISHED``, ``RUN-BUSY``, ``RESUME-MISMATCH``,
            ``DATA-CHANGED``, ``RESET-IMPOSSIBLE``, ``EXTENSION-IMPOSSIBLE``, and what data and model raise.
    """
    from training.engine.lock import only_trainer
    from training.engine.parallel import joined
    from training.tasks import TASKS

    TASKS.check(task)
    given = {key: value for key, value in (asked or {}).items() if value is not None}
    with joined() as group:
        if not group.leads:  # the leader checks and locks; the others learn what it decided
            settings, finished = group.from_leader(None)
            return finished or _train(settings, out, group, reset)
        _refuse_taken(task, out, resume or bool(more_epochs))
        with only_trainer(out):
            if more_epochs:
                extend(out, more_epochs)
            settings = _settings(task, out, given, reset)
            finished = _finished(settings, out, reset)
            group.from_leader((settings, finished))
            return finished or _train(settings, out, group, reset)


def _finished(settings: TrainSettings, out: Path, reset: tuple[str, ...]) -> Finished | None:
    """The run as it is, when there is nothing left to train."""
    from training.tasks import TASKS

    there = (out / CHECKPOINT).is_file()
    if reset and (there or not (out / RESUME).is_file()):
        raise DeployError(
            "RESET-IMPOSSIBLE",
            f"{out} is {'finished' if there else 'not begun'}, and a part that starts anew needs epochs to "
            "learn in.",
            f"Give it some: deploy train {settings.task} --out {out} --epochs +5 "
            f"--selective-reset {','.join(reset)}",
        )
    if not there:
        return None
    if not TASKS.open(settings.task).extends:
        (out / RESUME).unlink(missing_ok=True)  # a kill between the last two writes leaves it
    console.note(f"{out} is already finished.")
    return Finished(out, read_checkpoint(out), 0)


def train_demo(out: Path) -> Path:
    """Train the demonstration model on generated clips (about a minute), or finish it; returns the folder."""
    from deploy.threads import set_environment

    set_environment()
    return train("binary_masks", out, resume=True).folder


def _train(settings: TrainSettings, out: Path, group: Group, reset: tuple[str, ...]) -> Finished:
    """The run itself: data, loop, checkpoint."""
    from deploy.toolchain import versions
    from training.engine.determinism import deterministic
    from training.engine.loop import Trainer
    from training.tasks import TASKS

    with deterministic(settings.threads):
        task = TASKS.open(settings.task)(settings)
        if group.leads and not reset:
            pin(out, settings, task.data_sha256, task.prompts)
        group.from_leader(None)
        learner = task.trainer or Trainer
        trainer: Learner = learner(task, settings, out, group, fresh=reset)
        if reset:
            settings = begin_anew(out, settings, task, trainer, reset, group.leads)
        trainer.run()
    best = trainer.history[trainer.stopping.best_epoch]
    facts = {
        "task": settings.task,
        "model": task.model,
        "model_args": task.model_args,
        "preprocess": task.preprocess,
        "decode": _as_validated(task.decode, best),
        "data": settings.data,
        "data_sha256": task.data_sha256,
        "seed": settings.seed,
        "step": best["step"],
        "epoch": best["epoch"],
        "metrics": {key: best[key] for key in sorted(best.keys() - {"step", "epoch"})},
        "toolchain": versions("torch", "timm", "numpy", "opencv-python-headless"),
        "prompts": task.prompts,
        "lineage": settings.lineage,
    }
    checkpoint = None
    if group.leads:
        checkpoint = save_checkpoint(out, trainer.best, facts)
        if not task.extends:
            (out / RESUME).unlink(missing_ok=True)
    return Finished(out, group.from_leader(checkpoint), len(trainer.history))


def _as_validated(decode: Decode, best: Mapping[str, Any]) -> Decode:
    """The decode block with the confidence that validation chose, where the task's figures have one."""
    if isinstance(decode, YoloDecode) and 0 < best.get("confidence", 0) < 1:
        return decode.model_copy(update={"confidence": round(float(best["confidence"]), 3)})
    return decode


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


def _settings(task: str, out: Path, given: dict[str, Any], reset: tuple[str, ...]) -> TrainSettings:
    """The settings the run was started with, or new ones; with ``reset``, its own settings give way."""
    from training.tasks import TASKS

    plug, path = TASKS.open(task), out / CONFIG
    options = given.pop("options", {})
    if not path.is_file():
        given = {**plug.defaults, **given}
        given.setdefault("data", GENERATED)
        given.setdefault("epochs", _EPOCHS_GENERATED if given["data"] == GENERATED else _EPOCHS_FOLDER)
        return TrainSettings(task=task, **given, options=read_options(task, plug.Options, options))
    settings = TrainSettings.load(path)
    read = read_options(task, plug.Options, settings.options | options)
    changed = {name: read[name] for name in options if read[name] != settings.options[name]}
    freed = {name for part in reset for name in RESET_FREES.get(part, ())}
    for key, value in {"task": task, **given, **changed}.items():
        kept = settings.options[key] if key in changed else getattr(settings, key)
        if kept != value and key not in freed:
            option = f"--set {key}=..." if key in changed else f"--{key.replace('_', '-')}"
            raise DeployError(
                "RESUME-MISMATCH",
                f"{out} was started with {key} {kept}, not {value}.",
                f"Leave {option} out to go on with it, or choose another --out.",
            )
    return settings.model_copy(update={"options": settings.options | changed})
