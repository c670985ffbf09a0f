"""More epochs for a finished run: ``--epochs +5`` puts it back into the state of an unfinished one."""

from __future__ import annotations

from pathlib import Path

from deploy.contracts.lineage import LineageStep
from deploy.errors import DeployError
from training.checkpoints import read_checkpoint
from training.run_files import CHECKPOINT, CONFIG, RESUME
from training.settings import Leg, TrainSettings

RESTART = 0.5
"""Highest rate of an extension, as a share of the run's: a warm restart that does not throw away what the
first leg's fine end has found."""


def extend(out: Path, epochs: int) -> None:
    """Let a finished run go on for ``epochs`` more; weights, average, optimizer and history are its own last
    ones, and the learning rate starts a new leg (see ``rate_in_legs``).

    The checkpoint is taken away first: a kill before the settings are written leaves an unfinished run whose
    ``--resume`` writes the same checkpoint again.

    Raises:
        DeployError: ``EXTENSION-IMPOSSIBLE``, and what ``read_checkpoint`` raises.
    """
    from training.engine.resume import load_resume

    read_checkpoint(out)
    settings = TrainSettings.load(out / CONFIG)
    state = load_resume(out)
    if state is None:
        raise DeployError(
            "EXTENSION-IMPOSSIBLE",
            f"{out} kept no last state ({RESUME}), and a run cannot go on from its best weights alone as if "
            "nothing had happened.",
            f"Train again with more epochs: deploy train {settings.task} --epochs {settings.end + epochs}",
        )
    trained, step = len(state.facts["history"]), int(state.facts["step"])
    told = LineageStep(
        kind="extended",
        step=step,
        detail=f"{epochs} more epochs after {trained}; the learning rate restarts at {RESTART:g} of its peak",
    )
    longer = settings.model_copy(
        update={
            "extensions": (*settings.extensions, Leg(start=trained, epochs=epochs, peak=RESTART)),
            "lineage": (*settings.lineage, told),
        }
    )
    (out / CHECKPOINT).unlink()
    longer.save(out / CONFIG)
