"""``deploy verify --task tiled_detection``: one detector with and without tiles on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.tiling_options import TILING_NAMES, given_tiling, tiling_options

if TYPE_CHECKING:
    from deploy.contracts.tiled_report import TiledFigure, TiledReport
    from export.evaluation.tiled.flow import TiledRequest

REPORT = "tiled.json"
_MINE = ("confidence", "floor", "iou", "ignore_area", "train", "allowed", "engine")
_FIGURES = {"precision": "P", "recall": "R", "F1": "F1", "box_mAP50": "mAP50", "box_mAP50-95": "mAP50-95"}


def tiled_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that belong to ``--task tiled_detection``."""
    for option in reversed(
        [
            tiling_options,
            click.option(
                "--confidence",
                multiple=True,
                metavar="[CLASS=]SCORE",
                help="Tiled: least score, for one class or for all; repeat [default: the file's].",
            ),
            click.option(
                "--floor",
                type=click.FloatRange(0, 1, min_open=True, max_open=True),
                help="Tiled: boxes below this score are not even kept for the sweep [default: 0.01].",
            ),
            click.option(
                "--iou",
                type=click.FloatRange(0, 1, min_open=True),
                help="Tiled: least IoU of a match [default: 0.5].",
            ),
            click.option(
                "--ignore-area",
                type=click.FloatRange(0, 1, max_open=True),
                help="Tiled: objects below this share of the picture neither help nor harm [default: 0].",
            ),
            click.option(
                "--train",
                type=click.Path(path_type=Path),
                help="Tiled: what the model was trained on; a leak into --data is refused.",
            ),
            click.option(
                "--allow",
                "allowed",
                type=click.Choice(["leak"]),
                multiple=True,
                help="Tiled: evaluate on a leak; the report says LEAKED.",
            ),
            click.option("--engine", help="Tiled: who runs the tiles, local or ray [default: local]."),
        ]
    ):
        function = option(function)
    return function


def tiled_strays(options: Mapping[str, Any]) -> list[str]:
    """The options of this task that were typed."""
    return [name for name in (*_MINE, *TILING_NAMES) if options[name] not in (None, (), False)]


def verify_tiled(options: dict[str, Any]) -> int:
    """Evaluate artifacts, each with all its rows; a ``tiled.json`` among them joins the table if its protocol
    is the same. The exit code is 0 unless a report carries a leak that was allowed (4)."""
    from deploy import console
    from deploy.contracts.tiled_report import TiledReport
    from deploy.errors import ExitCode
    from export.evaluation.tiled.compare import demand_same_protocol
    from export.evaluation.tiled.flow import evaluate_tiled

    paths = list(options["artifacts"])
    reports = [TiledReport.load(path) for path in paths if path.suffix == ".json"]
    files = []
    for path in (each for each in paths if each.suffix != ".json"):
        report = evaluate_tiled(_request(path, options))
        file = options["out"] / f"{path.resolve().name}-tiled-{report.protocol_sha256[:8]}" / REPORT
        report.save(file)
        reports.append(report)
        files.append(str(file))
    demand_same_protocol(reports)
    for report in reports:
        _show(report)
    console.emit({"reports": [report.to_json() for report in reports], "files": files})
    if files:
        console.say(f"Report: {', '.join(files)}")
    leaked = any("LEAKED" in report.taints for report in reports)
    return ExitCode.CANNOT_TELL if leaked else ExitCode.PASS


def _request(path: Path, options: Mapping[str, Any]) -> TiledRequest:
    from deploy.artifacts import open_artifact
    from deploy.threads import usable_cores
    from export.evaluation.tiled.flow import TiledRequest

    if options["data"] is None:
        raise click.UsageError("--task tiled_detection needs --data DIR with labelled pictures.")
    preprocess = open_artifact(path).artifact.preprocess
    given = {
        name: options[name] for name in ("floor", "iou", "ignore_area", "engine") if options[name] is not None
    }
    return TiledRequest(
        artifact=path,
        data=options["data"],
        tiling=given_tiling(options, None if preprocess is None else preprocess.tiling),
        confidence=_confidence(options["confidence"]),
        train=options["train"],
        allowed=options["allowed"],
        limit=options["limit"],
        replicates=options["replicates"],
        seed=options["seed"],
        workers=options["threads"] or usable_cores(),
        **given,
    )


def _confidence(given: tuple[str, ...]) -> dict[str, float] | float | None:
    """``0.3`` for every class, or ``helmet=0.5`` for one; several of the latter."""
    pairs = [text.rpartition("=") for text in given]
    try:
        values = {name: float(score) for name, _, score in pairs}
    except ValueError:
        values = {"": -1.0}
    if any(not 0 < score < 1 for score in values.values()) or ("" in values and len(pairs) > 1):
        raise click.UsageError("--confidence takes one score for all classes, or CLASS=SCORE for each.")
    return values.get("", values or None)


def _show(report: TiledReport) -> None:
    from deploy import console

    heads = ["row", *_FIGURES.values(), "TP", "FP", "missed", "F1 over full image"]
    lines = []
    for row in report.rows:
        cells = [_cell(row.figure(metric)) for metric in _FIGURES]
        gain = "-" if row.over_full_image is None else _cell(row.over_full_image, "+")
        counts = [str(row.true_positives), str(row.false_positives), str(row.missed)]
        name = row.name if not row.unanswered else f"{row.name} ({row.unanswered} unanswered)"
        lines.append([name, *cells, *counts, gain])
    title = f"{report.label} on {report.data.samples} pictures of {report.clusters} groups"
    console.table(title, heads, lines)
    causes = list(report.rows[0].causes)
    console.table(
        "False positives by cause",
        ["row", *(cause.replace("_", " ") for cause in causes)],
        [[row.name, *(str(row.causes[cause]) for cause in causes)] for row in report.rows],
    )
    best = max(
        (point for point in report.sweep if point.f1 is not None), key=lambda p: p.f1 or 0, default=None
    )
    if best is not None:
        console.say(f"Best F1 of the sweep: {best.f1:.3f}, {best.row} from {best.confidence:g}.")
    if report.candidates:
        console.say(
            f"{len(report.candidates)} detections look like objects that nobody labelled; see the report."
        )
    if report.leaks:
        console.say(report.leaks)
    console.say(f"protocol {report.protocol_sha256[:16]}; {report.negatives} pictures without objects")


def _cell(figure: TiledFigure, sign: str = "") -> str:
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.3f}"
    return f"{figure.value:{sign}.3f} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"
