"""``deploy train``: learn a task and keep the checkpoint in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.commands.options import json_option

EPILOG = """\b
Examples:
  deploy train binary_masks --out runs/first
  deploy train binary_masks --data data/mine --epochs 40 --out runs/mine
  deploy train binary_masks --out runs/mine --resume

Without --data it learns from generated clips, in about a minute on one core. A folder may hold images/ and
masks/ with the same names, or JPEGImages/480p and Annotations/480p as in DAVIS. Stop it whenever you like:
with --resume it ends in the same file, to the bit, as a run that was never stopped.
"""


@click.command("train", epilog=EPILOG)
@click.argument("task")
@click.option(
    "--data", type=click.Path(path_type=Path), default=None, help="Data folder [default: generated clips]."
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Run folder [default: runs/TASK].")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option(
    "--epochs", type=click.IntRange(min=1), default=None, help="Epochs [default: 6 generated, 60 folder]."
)
@click.option("--size", type=click.IntRange(min=32), default=None, help="Input side, pixels [default: 128].")
@click.option("--batch", type=click.IntRange(min=1), default=None, help="Pictures a step [default: 8].")
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="Highest learning rate [default: 0.004].",
)
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    default=None,
    help="Epochs without progress before stopping, 0 for never [default: 6].",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=None, help="Seed of everything random [default: 0]."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="Threads, part of the result [default: 1, as fast as 2 for small inputs].",
)
@json_option
def command(task: str, data: Path | None, out: Path | None, resume: bool, **asked: Any) -> None:
    """Train TASK (binary_masks) and keep its checkpoint."""
    from deploy import console
    from training.run import train

    folder = out or Path("runs") / task
    settings = {**asked, "data": None if data is None else data.as_posix()}
    finished = train(task, folder, settings, resume=resume)
    checkpoint = finished.checkpoint
    figures = ", ".join(f"{name} {value:.4f}" for name, value in checkpoint.metrics.items())
    console.say(f"{folder}: {figures} (epoch {checkpoint.epoch + 1}, validation clips)")
    commands = [f"deploy export {folder} --target all"]
    console.next_steps(commands)
    console.emit({"run": str(folder), "checkpoint": checkpoint.to_json(), "next": commands})
