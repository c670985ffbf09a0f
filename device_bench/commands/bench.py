"""``deploy bench``: measure artifacts on a device and keep the raw samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import json_option, seed_option, threads_option
from device_bench.commands.duration import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.console import Progress as ProgressBar
    from device_bench.session import Outcome, Request
    from device_bench.transports.protocol import Progress

EPILOG = """\b
Examples:
  deploy bench artifacts/*
  deploy bench artifacts/* --clip clips/walk --duration 60s
  deploy bench artifacts/* --clip clips/dog --mask-class dog
  deploy bench artifacts/prompts-onnx-fp16 --clip clips/walk --phrase "red disc"
  deploy bench artifacts/onnx-fp32 artifacts/onnx-int8 --interleave
"""


@click.command("bench", epilog=EPILOG)
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--device", default="desktop", show_default=True, help="Where to run; see: deploy devices.")
@click.option(
    "--duration", type=Duration(), default="20s", show_default=True, help="Length of the timed part."
)
@click.option(
    "--clip",
    "clips",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Frames folder, DAVIS folder or video; repeatable [default: the artifact's own clip].",
)
@click.option(
    "--max-frames",
    type=click.IntRange(min=1),
    default=150,
    show_default=True,
    help="Frames used of each clip.",
)
@click.option(
    "--mask-class",
    "classes",
    multiple=True,
    help="Count only this class in masks, of models with classes; repeatable [default: all].",
)
@click.option("--phrase", help="What a promptable bundle is asked for on every frame.")
@click.option(
    "--reference",
    type=click.Path(exists=True, path_type=Path),
    help="The fp32 reference's folder [default: found beside the artifact].",
)
@click.option("--include-reference", is_flag=True, help="Bench the fp32 reference too.")
@click.option("--interleave", is_flag=True, help="Compare two artifacts call by call in one process.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where results go.",
)
@click.option("--force", is_flag=True, help="Replace earlier results of the same name.")
@threads_option
@seed_option
@json_option
def command(
    artifacts: tuple[Path, ...],
    device: str,
    duration: int,
    clips: tuple[Path, ...],
    max_frames: int,
    classes: tuple[str, ...],
    phrase: str | None,
    reference: Path | None,
    include_reference: bool,
    interleave: bool,
    out: Path,
    force: bool,
    threads: int | None,
    seed: int,
) -> int:
    """Measure speed, memory and mask steadiness of ARTIFACTS on a device.

    The raw samples and masks are kept below --out; every figure is computed from them when it is read.
    """
    from deploy.artifacts import choose
    from deploy.threads import usable_cores
    from device_bench.plans import Measure
    from device_bench.session import Request

    chosen, skipped = choose(artifacts, include_reference or interleave)
    measure = Measure(duration, threads or usable_cores(), seed, mask_classes=classes or None, phrase=phrase)
    request = Request(tuple(chosen), measure, device, clips, reference, out, force, max_frames)
    return _interleave(request) if interleave else _bench(request, skipped)


def _bench(request: Request, skipped: list[Path]) -> int:
    from deploy import console
    from device_bench.report.terminal import show_outcomes
    from device_bench.session import bench

    for folder in skipped:
        console.note(f"{folder} is the fp32 reference; it is run for its masks only (--include-reference).")
    outcomes = []
    with console.progress("bench", len(request.artifacts)) as bar:
        steps = _Steps(bar)
        for outcome in bench(request, steps.follow):
            outcomes.append(outcome)
            steps.finish()
    show_outcomes(outcomes)
    done = [outcome for outcome in outcomes if outcome.folder is not None]
    if done:
        few = len(done) <= 3
        places = " ".join(str(outcome.folder) for outcome in done) if few else f"{request.out}/*"
        console.next_steps([f"deploy report {places} --html report.html"])
    return _exit_code(outcomes)


def _exit_code(outcomes: list[Outcome]) -> int:
    """1 when a run failed, an artifact is broken, or nothing could run; foreign files are no fault."""
    from deploy.errors import ExitCode

    completed = [o for o in outcomes if o.run is not None and o.run.status == "completed"]
    elsewhere = [o for o in outcomes if o.problem is not None and o.problem.error_id == "CANNOT-RUN-HERE"]
    well = completed and len(completed) + len(elsewhere) == len(outcomes)
    return ExitCode.PASS if well else ExitCode.ERROR


def _interleave(request: Request) -> int:
    from deploy import console
    from device_bench.compare import compare
    from device_bench.report.terminal import show_comparison

    with console.progress("interleaved", None) as bar:
        comparison, folder = compare(request, _follower(bar.label))
    show_comparison(comparison, folder)
    console.next_steps([f"deploy report {folder} --html report.html"])
    return 0


class _Steps:
    """Moves the bar inside an artifact too: one of 20 s would otherwise stand still for 20 s."""

    SPANS = ((": reference: masks", 0.75, 0.25), (": masks", 0.6, 0.15), (": timed", 0.1, 0.5))
    """Stage, where on the artifact's step it begins, and how much of it it takes."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar, self._reached = bar, 0.0
        self._label = _follower(bar.label)

    def follow(self, stage: str, done: float, total: float) -> None:
        """See ``device_bench.transports.protocol.Progress``."""
        self._label(stage, done, total)
        begin, length = next((span[1:] for span in self.SPANS if stage.endswith(span[0])), (0.0, 0.0))
        self._move(begin + length * min(1.0, done / total) if total else 0.0)

    def finish(self) -> None:
        """One artifact is done, or refused."""
        self._move(1.0)
        self._reached = 0.0

    def _move(self, place: float) -> None:
        if place > self._reached:
            self._bar.advance(place - self._reached)
            self._reached = place


def _follower(label: Callable[[str], None]) -> Progress:
    """Turn the harness' progress into the words before the bar."""

    def follow(stage: str, done: float, total: float) -> None:
        share = f" {min(1.0, done / total):.0%}" if total else ""
        label(f"{stage}{share}")

    return follow
