"""``deploy data leaks``: say what an evaluation set shares with a training set, and refuse it."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option

EPILOG = """\b
Examples:
  deploy data leaks data/tiles/train data/held-out
  deploy data leaks data/train data/test --seconds 30 --allow leak

Exit code: 0 when nothing leaks, 5 (INCOMPARABLE) when evaluation pictures were seen in training. A picture
leaks when training has the same bytes, the same picture in other bytes, or one of the same camera taken a
moment before or after. Cameras and times come from moments.csv (file,camera,time), else from file names.
"""


@click.command("leaks", epilog=EPILOG)
@click.argument("train", type=click.Path(path_type=Path))
@click.argument("evaluation", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="Pictures of one camera nearer than this show the same moment.",
)
@click.option(
    "--frames",
    type=click.FloatRange(0),
    default=10,
    show_default=True,
    help="The same where times are not known.",
)
@click.option("--allow", type=click.Choice(["leak"]), multiple=True, help="Report, but do not refuse.")
@json_option
def command(train: Path, evaluation: Path, seconds: float, frames: float, allow: tuple[str, ...]) -> int:
    """Compare TRAIN with EVALUATION, picture by picture."""
    from deploy import console
    from deploy.errors import ExitCode
    from training.data.leaks.find import find_leaks

    with console.progress("Comparing pictures", None) as bar:
        report = find_leaks(
            train, evaluation, seconds=seconds, frames=frames, told=lambda done, _: bar.advance(done)
        )
    shown = [(leak.evaluation, leak.kind, leak.training) for leak in report.leaks[:20]]
    if shown:
        console.table("Seen in training", ("evaluation picture", "as", "training picture"), shown)
    counted = f"{len(report.leaks)} of {report.evaluation} evaluation pictures were seen in training"
    console.say(f"{counted} ({report.training} training pictures).")
    for warning in report.warnings:
        console.say(f"Note: {warning}.")
    verdict = "FAIL" if report.leaks and not allow else "PASS"
    console.emit({**report.to_json(), "verdict": verdict, "allowed": list(allow)})
    return ExitCode.INCOMPARABLE if verdict == "FAIL" else ExitCode.PASS
