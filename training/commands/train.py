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

  deploy train promptable_masks --out runs/teacher --set width=48 --set tokenizer=words
  deploy train promptable_masks --teacher run:runs/teacher --out runs/student
  deploy train promptable_masks --out runs/student --epochs +5
  deploy train promptable_masks --ladder ladder.toml --out runs/ladder
  deploy train tiled_detection --out runs/tiles --set crop_paste=0.5

Without --data it learns from generated pictures, in about a minute on one core. A folder may hold images/ and
masks/ with the same names, or JPEGImages/480p and Annotations/480p as in DAVIS. Stop it whenever you like:
with --resume it ends in the same file, to the bit, as a run that was never stopped.
"""


class Epochs(click.ParamType["int | str"]):
    """A number of epochs, or ``+N`` for so many more, which stays text."""

    name = "N|+N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """``5`` to 5, ``+5`` to ``"+5"``."""
        text = str(value)
        if not text.removeprefix("+").isdigit() or int(text) < 1:
            self.fail(f"{text!r} is no number of epochs; write 5, or +5 for five more.", param, ctx)
        return text if text.startswith("+") else int(text)


@click.command("train", epilog=EPILOG)
@click.argument("task")
@click.option(
    "--data", type=click.Path(path_type=Path), default=None, help="Data folder [default: generated]."
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Run folder [default: runs/TASK].")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option(
    "--epochs",
    type=Epochs(),
    default=None,
    help="Epochs, or +N more for a finished run [default: 6 generated, 60 folder; promptable 9].",
)
@click.option(
    "--size",
    type=click.IntRange(min=32),
    default=None,
    help="Input side, pixels [default: 128, promptable 32, tiles 160].",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=None,
    help="Pictures a step, over all processes [default: 8, promptable 16].",
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="Highest learning rate [default: 0.004, promptable 0.002].",
)
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    default=None,
    help="Epochs without progress before stopping, 0 for never [default: 6, promptable 0].",
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
@click.option(
    "--teacher",
    default=None,
    metavar="SPEC",
    help="Who answers the prompts: truth, run:FOLDER, ultralytics:FILE.pt, sam3:FOLDER or cached:FOLDER.",
)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of this task alone, such as hard=0.3 or tokenizer=open_clip; a typo lists them all.",
)
@click.option(
    "--selective-reset",
    type=click.Choice(["text"]),
    default=None,
    help="On --resume, let the text tower and its projection start anew; the way to another tokenizer.",
)
@click.option(
    "--ladder",
    type=click.Path(path_type=Path),
    default=None,
    help="Train and compare the rungs of this TOML file, each with the same budget and seeds.",
)
@json_option
def command(
    task: str,
    data: Path | None,
    out: Path | None,
    resume: bool,
    epochs: int | str | None,
    teacher: str | None,
    pairs: tuple[str, ...],
    selective_reset: str | None,
    ladder: Path | None,
    **asked: Any,
) -> None:
    """Train TASK (binary_masks, promptable_masks, tiled_detection, video_masks) and keep its checkpoint."""
    from deploy import console
    from training.options import split_pairs
    from training.run import train

    folder = out or Path("runs") / task
    options: dict[str, Any] = dict(split_pairs(pairs))
    if teacher is not None:
        options["teacher"] = teacher
    settings = {**asked, "data": None if data is None else data.as_posix(), "options": options}
    if ladder is not None:
        from training.ladder.show import climb_and_show

        _refuse_beside_ladder({**asked, "data": data, "epochs": epochs, "set": pairs, "teacher": teacher})
        climb_and_show(task, ladder, folder)
        return
    more = int(epochs) if isinstance(epochs, str) else 0
    settings["epochs"] = None if more else epochs
    reset = () if selective_reset is None else (selective_reset,)
    finished = train(task, folder, settings, resume=resume, more_epochs=more, reset=reset)
    checkpoint = finished.checkpoint
    figures = ", ".join(f"{name} {value:.4f}" for name, value in checkpoint.metrics.items())
    console.say(f"{folder}: {figures} (epoch {checkpoint.epoch + 1}, validation side)")
    commands = [f"deploy export {folder} --target all"]
    console.next_steps(commands)
    console.emit({"run": str(folder), "checkpoint": checkpoint.to_json(), "next": commands})


def _refuse_beside_ladder(given: dict[str, Any]) -> None:
    """A ladder holds every setting itself, or two calls with one file would not be one experiment."""
    own = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, ())]
    if own:
        raise click.UsageError(f"{', '.join(own)} cannot stand beside --ladder; write it into the file.")
