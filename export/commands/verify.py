"""``deploy verify``: what each export lost against the fp32 reference, with an interval and a verdict."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import json_option, seed_option, threads_option
from export.commands.verify_promptable import promptable_options, promptable_strays, verify_promptable
from export.commands.verify_tiled import tiled_options, tiled_strays, verify_tiled

if TYPE_CHECKING:
    from deploy.contracts.accuracy import AccuracyReport
    from export.verify import VerifyRequest

EPILOG = """\b
Examples:
  deploy verify artifacts/*
  deploy verify artifacts/* --data my_pictures --budget 0.005
  deploy verify artifacts/yolov8n-seg-onnx-fp16 --data coco --metric mask_mAP50-95
  deploy verify theirs.onnx --reference artifacts/yolov8n-seg-reference --data coco
  deploy verify theirs.mlpackage --reference yolov8n-seg.pt --data coco
  deploy verify artifacts/* --data coco --self-test
  deploy verify artifacts/yolov8n-seg-onnx-fp16 --data coco --bisect
  deploy verify runs/prompts --task promptable_masks --teacher truth --page qa.html
  deploy verify artifacts/tiles-onnx-w8a8 --task tiled_detection --data cctv/test --train cctv/train

ARTIFACTS are folders that deploy export wrote, or model files from elsewhere (.onnx, .mlpackage, .pte) with
the --reference they should equal: its artifact folder, a run folder or a checkpoint.

Data is a folder with images/ + masks/, DAVIS layout, images/ + labels/ (YOLO), one folder per class, or
plain pictures (then agreement with the reference is measured). Without --data, generated clips are used.
Exit code: 0 PASS, 3 FAIL, 4 CANNOT-TELL or UNKNOWN.
"""


_TASKS = {"promptable_masks": verify_promptable, "tiled_detection": verify_tiled}
_STRAYS = {"promptable_masks": promptable_strays, "tiled_detection": tiled_strays}
_PLAIN = ("metric", "reference", "preprocess", "decode", "self_test", "bisect", "allow_unknown")
"""Options of the verification of exports alone."""


def _number(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """Refuse NaN and infinity, which no drop can be compared with."""
    if not math.isfinite(value):
        raise click.BadParameter("it must be a number", ctx, param)
    return value


@click.command("verify", epilog=EPILOG)
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder with your own pictures.")
@click.option(
    "--budget",
    type=float,
    default=0.01,
    show_default=True,
    callback=_number,
    help="Largest allowed drop (absolute).",
)
@click.option("--metric", help="Figure the verdict is made on [default: the task's].")
@click.option("--reference", help="The fp32 reference, if it is not beside them: its folder, or the model.")
@click.option(
    "--preprocess", type=click.Path(path_type=Path), help="Preprocess block of foreign files (JSON)."
)
@click.option("--decode", type=click.Path(path_type=Path), help="Decode block of foreign files (JSON).")
@click.option("--limit", type=click.IntRange(min=2), help="Evaluate only so many samples, evenly spread.")
@click.option("--replicates", type=click.IntRange(100, 100_000), default=1000, show_default=True)
@click.option("--slices/--no-slices", default=True, show_default=True, help="Also by object size and class.")
@click.option(
    "--allow-unknown", is_flag=True, help="Do not let files that cannot run here decide the exit code."
)
@click.option("--self-test", is_flag=True, help="Break copies on purpose; the gate must fail every one.")
@click.option("--bisect", is_flag=True, help="Walk one artifact op by op: where does it go wrong?")
@click.option(
    "-v", "--verbose", is_flag=True, help="Show for every file at which stage it lost what it lost."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where reports go.",
)
@click.option(
    "--task",
    type=click.Choice(list(_TASKS)),
    help="Judge training runs on prompts, or a detector with and without tiles.",
)
@promptable_options
@tiled_options
@seed_option
@threads_option
@json_option
def command(**options: Any) -> int:
    """Measure the accuracy drop of ARTIFACTS against the fp32 reference, on the same samples.

    With --self-test, break copies of them on purpose and demand that the same gate fails every one. With
    --bisect, walk one of them op by op and name the first that goes wrong. With --task promptable_masks,
    ARTIFACTS are training runs, judged on prompts against truth and teacher; with --task tiled_detection
    they are detectors, judged with and without tiles, merge and gate.
    """
    _refuse_strays(options)
    if options["task"] is not None:
        return _TASKS[options["task"]](options)
    from deploy.threads import usable_cores
    from export.verify import VerifyRequest

    keys = ["artifacts", "data", "reference", "preprocess", "decode"]
    keys += ["metric", "budget", "limit", "replicates", "seed"]
    request = VerifyRequest(
        **{key: options[key] for key in keys},
        with_slices=options["slices"] and not options["self_test"],
        threads=options["threads"] or usable_cores(),
    )
    if options["self_test"] and options["bisect"]:
        raise click.UsageError("--self-test and --bisect are two questions; ask one at a time.")
    if options["self_test"]:
        return _self_test(request)
    if options["bisect"]:
        return _bisect(request)
    return _verify(request, options)


def _refuse_strays(options: dict[str, Any]) -> None:
    """Raise a usage error for options of another kind of verification, which would be ignored."""
    task = options["task"]
    for name, typed in _STRAYS.items():
        if name != task and typed(options):
            raise click.UsageError(f"--{typed(options)[0].replace('_', '-')} needs --task {name}.")
    stray = next((name for name in _PLAIN if options[name]), None)
    if task is not None and stray is not None:
        raise click.UsageError(f"--{stray.replace('_', '-')} does not go with --task {task}.")


def _verify(request: VerifyRequest, options: dict[str, Any]) -> int:
    from deploy import console
    from deploy.statistics.verdict import exit_code
    from export.commands.verify_output import show_report
    from export.evaluation.stages import stage_lines
    from export.verify import verify

    reports = verify(request)
    stages = stage_lines(request.artifacts)
    paths = []
    for report, name in zip(reports, _names(reports), strict=True):
        path = options["out"] / f"{name}-accuracy" / "accuracy.json"
        report.save(path)
        paths.append(path)
        show_report(report, stages, always=options["verbose"])
    console.emit(
        {
            "reports": [report.to_json() for report in reports],
            "files": [str(path) for path in paths],
            "stages": stages,
        }
    )
    console.next_steps([f"deploy report {' '.join(str(p.parent) for p in paths)} --html report.html"])
    outcomes = [row.verdict.outcome for report in reports for row in report.rows]
    judged = [outcome for outcome in outcomes if outcome != "UNKNOWN" or not options["allow_unknown"]]
    return exit_code(judged)


def _self_test(request: VerifyRequest) -> int:
    from deploy import console
    from export.commands.verify_output import show_trials
    from export.selftest.flow import asleep, exit_code, self_test

    trials = self_test(request)
    error = asleep(trials)
    payload: dict[str, Any] = {"trials": [trial.to_dict() for trial in trials]}
    console.emit(payload | (error.to_dict() if error else {}))
    show_trials(trials)
    if error is not None and not console.is_machine():
        console.fail(error)
    return exit_code(trials)


def _bisect(request: VerifyRequest) -> int:
    from deploy import console
    from export.bisect.flow import bisect
    from export.commands.verify_output import show_bisection

    found = bisect(request)
    console.emit(found.to_dict())
    show_bisection(found)
    return found.exit_code


def _names(reports: list[AccuracyReport]) -> list[str]:
    """The models' names; where two share one, the reference's hash tells them apart."""
    names = [report.reference for report in reports]
    return [
        name if names.count(name) == 1 else f"{name}-{report.reference_sha256[:8]}"
        for name, report in zip(names, reports, strict=True)
    ]
