"""``deploy verify``: what each export lost against the fp32 reference, with an interval and a verdict."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import json_option, seed_option, threads_option

if TYPE_CHECKING:
    from deploy.contracts.accuracy import AccuracyReport, AccuracyRow

EPILOG = """\b
Examples:
  deploy verify artifacts/*
  deploy verify artifacts/* --data my_pictures --budget 0.005
  deploy verify artifacts/yolov8n-seg-onnx-fp16 --data coco --metric mask_mAP50-95
  deploy verify theirs.onnx --reference artifacts/yolov8n-seg-reference --data coco
  deploy verify theirs.mlpackage --reference yolov8n-seg.pt --data coco

ARTIFACTS are folders that deploy export wrote, or model files from elsewhere (.onnx, .mlpackage, .pte) with
the --reference they should equal: its artifact folder, a run folder or a checkpoint.

Data is a folder with images/ + masks/, DAVIS layout, images/ + labels/ (YOLO), one folder per class, or
plain pictures (then agreement with the reference is measured). Without --data, generated clips are used.
Exit code: 0 PASS, 3 FAIL, 4 CANNOT-TELL or UNKNOWN.
"""


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
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where reports go.",
)
@seed_option
@threads_option
@json_option
def command(**options: Any) -> int:
    """Measure the accuracy drop of ARTIFACTS against the fp32 reference, on the same samples."""
    from deploy import console
    from deploy.statistics.verdict import exit_code
    from deploy.threads import usable_cores
    from export.verify import VerifyRequest, verify

    keys = ["artifacts", "data", "reference", "preprocess", "decode"]
    keys += ["metric", "budget", "limit", "replicates", "seed"]
    request = VerifyRequest(
        **{key: options[key] for key in keys},
        with_slices=options["slices"],
        threads=options["threads"] or usable_cores(),
    )
    reports = verify(request)
    paths = []
    for report, name in zip(reports, _names(reports), strict=True):
        path = options["out"] / f"{name}-accuracy" / "accuracy.json"
        report.save(path)
        paths.append(path)
        _show(report)
    console.emit(
        {"reports": [report.to_json() for report in reports], "files": [str(path) for path in paths]}
    )
    console.next_steps([f"deploy report {' '.join(str(p.parent) for p in paths)} --html report.html"])
    outcomes = [row.verdict.outcome for report in reports for row in report.rows]
    judged = [outcome for outcome in outcomes if outcome != "UNKNOWN" or not options["allow_unknown"]]
    return exit_code(judged)


def _names(reports: list[AccuracyReport]) -> list[str]:
    """The models' names; where two share one, the reference's hash tells them apart."""
    names = [report.reference for report in reports]
    return [
        name if names.count(name) == 1 else f"{name}-{report.reference_sha256[:8]}"
        for name, report in zip(names, reports, strict=True)
    ]


def _show(report: AccuracyReport) -> None:
    from deploy import console

    data = report.data
    console.table(
        f"{report.reference}: drop against fp32 on {data.samples} samples of {data.path}",
        ["target", "precision", "verdict", "metric", "fp32", "export", "drop", "95 % interval", "agreement"],
        [line for row in report.rows for line in _lines(row, report.primary_metric)],
    )
    for row in report.rows:
        label = " ".join((*row.taints, row.target, row.precision))
        needed = row.verdict.samples_needed
        hint = f" About {needed} samples would settle it." if needed else ""
        console.say(f"{label}: {row.verdict.outcome}: {row.verdict.reason}.{hint}")
        worst = max(row.slices, key=lambda part: part.figures.drop, default=None)
        if worst is not None and worst.figures.drop > 0:
            span = f"[{worst.figures.low:+.4f}, {worst.figures.high:+.4f}]"
            console.say(f"  worst slice: {worst.axis} {worst.name}, drop {worst.figures.drop:+.4f} {span}")


def _lines(row: AccuracyRow, primary: str) -> list[list[str]]:
    head = [" ".join((*row.taints, row.target)), row.precision]
    if not row.figures:
        return [[*head, row.verdict.outcome, primary, "", "", "", "", ""]]
    agreement = "" if row.agreement is None else f"{row.agreement:.4f}"
    lines = []
    for figures in sorted(row.figures, key=lambda each: each.metric != primary):
        judged = figures.metric == primary
        span = f"[{figures.low:+.4f}, {figures.high:+.4f}]"
        numbers = [f"{figures.reference:.4f}", f"{figures.value:.4f}", f"{figures.drop:+.4f}", span]
        first = [*head, row.verdict.outcome] if judged else ["", "", ""]
        lines.append([*first, figures.metric, *numbers, agreement if judged else ""])
    return lines
