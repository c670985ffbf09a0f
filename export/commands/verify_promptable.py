"""``deploy verify --task promptable_masks``: runs and their teacher on prompts, and the record of a look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from deploy.contracts.promptable import PromptableReport, PromptableRow
    from training.evaluation.promptable import Evaluation

_REPORT = "promptable.json"
_PAGE = "page.html"


def promptable_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that belong to ``--task promptable_masks``."""
    for option in reversed(
        [
            click.option("--teacher", help="Promptable: who taught them, such as truth or run:FOLDER."),
            click.option(
                "--names",
                type=click.Path(path_type=Path),
                help="Promptable: class names, one a line, of a folder without data.yaml.",
            ),
            click.option(
                "--whole", is_flag=True, help="Promptable: nothing was trained on --data; use all of it."
            ),
            click.option(
                "--page",
                type=click.Path(path_type=Path),
                help="Promptable: where the visual page goes [default: beside the report].",
            ),
            click.option("--looked-at", metavar="NAME", help="Promptable: record who looked at the page."),
            click.option("--verdict", metavar="TEXT", help="With --looked-at: what was seen."),
        ]
    ):
        function = option(function)
    return function


def promptable_strays(options: Mapping[str, Any]) -> list[str]:
    """The options of this task that were typed."""
    return [name for name in ("teacher", "names", "whole", "page", "looked_at", "verdict") if options[name]]


def verify_promptable(options: dict[str, Any]) -> int:
    """Evaluate the runs, or record a look at the page; the exit code says what the flags say.

    ARTIFACTS are run folders and bundles, which are compared with the run that they were exported from; a
    ``promptable.json`` among them is put into the same table, if its protocol is the same.
    """
    if options["verdict"] and not options["looked_at"]:
        raise click.UsageError("--verdict needs --looked-at NAME.")
    if options["looked_at"] is not None:
        return _look(options)
    from deploy import console
    from deploy.contracts.promptable import PromptableReport
    from deploy.prompts.comparison import compare

    reports = [PromptableReport.load(path) for path in options["artifacts"] if path.suffix == ".json"]
    named = [path for path in options["artifacts"] if path.suffix != ".json"]
    files: list[str] = []
    if named:
        done = _evaluate(named, options)
        folder = _folder(named, options)
        page = options["page"] or folder / _PAGE
        reports.insert(0, _keep(done, folder, page))
        files = [str(folder / _REPORT), str(page)]
    rows = compare(reports)
    _show(reports[0], rows, files)
    console.emit(
        {
            "reports": [report.to_json() for report in reports],
            "visual": [report.visual for report in reports],
            "files": files,
        }
    )
    return _exit_code(reports)


def _evaluate(named: list[Path], options: dict[str, Any]) -> Evaluation:
    from dataclasses import replace

    from deploy.bundles.opening import is_bundle
    from deploy.threads import set_environment
    from export.bundles.contestants import open_chains
    from export.bundles.judge import judged
    from training.evaluation.open_answerers import GENERATED, open_contestants, open_judged_world
    from training.evaluation.promptable import Settings, evaluate

    set_environment(options["threads"])
    data, limit = options["data"], options["limit"]
    world = open_judged_world(data, options["names"], whole=options["whole"], limit=limit)
    settings = Settings(limit=limit, replicates=options["replicates"], seed=options["seed"])
    bundles = [path for path in named if is_bundle(path)]
    chains = open_chains(bundles, [path for path in named if path not in bundles])
    contestants = [*open_contestants(chains.runs, options["teacher"], world), *chains.contestants]
    done = evaluate(world, contestants, settings, where=str(data or GENERATED))
    return replace(done, report=judged(done.report, chains.taints, options["budget"]))


def _keep(done: Evaluation, folder: Path, page: Path) -> PromptableReport:
    """Write the page and the report."""
    from deploy.store import write_atomic
    from training.evaluation.looking import with_look
    from training.evaluation.page import to_page

    write_atomic(page, to_page(done.report, done.exhibits))
    report = with_look(done.report, folder, page)
    report.save(folder / _REPORT)
    return report


def _look(options: dict[str, Any]) -> int:
    from deploy import console
    from training.evaluation.looking import record_look

    folder = _folder(list(options["artifacts"]), options)
    page = options["page"] or folder / _PAGE
    report = record_look(folder / _REPORT, page, options["looked_at"], options["verdict"] or "")
    console.say(report.visual)
    console.emit({"visual": report.visual, "report": report.to_json()})
    return 0


def _folder(runs: list[Path], options: dict[str, Any]) -> Path:
    """Where the report of these runs is kept."""
    return Path(options["out"]) / f"{'+'.join(path.resolve().name for path in runs)}-promptable"


def _show(report: PromptableReport, rows: tuple[Any, ...], files: list[str]) -> None:
    from deploy import console
    from deploy.prompts.comparison import table

    for each in report.protocol.prompts:
        heads, lines = table(rows, each.kind)
        short = [[cell.split(" [")[0] for cell in line] for line in lines]
        console.table(f"{each.prompts} {each.kind} prompts on {report.data.samples} pictures", heads, short)
    for row in rows:
        for share in row.relative:
            if share.metric == "mIoU" and share.kind == "text":
                console.say(f"{row.name}: mIoU is {share.ratio:.0%} of {share.to}'s.")
        if row.verdict is not None:
            needed = row.verdict.samples_needed
            hint = f" About {needed} pictures would settle it." if needed else ""
            title = " ".join((*row.taints, row.name))
            console.say(f"{title}: {row.verdict.outcome}: {row.verdict.metric}: {row.verdict.reason}.{hint}")
        for flag in row.flags:
            console.say(f"{row.name}: {flag.id} ({flag.severity}): {flag.sentence} {flag.remedy}")
    console.say(f"protocol {report.protocol_sha256[:16]}; {report.visual}")
    if files:
        console.say(f"Report: {files[0]}; page: {files[1]}")


def _exit_code(reports: list[PromptableReport]) -> int:
    """FAIL (3) when a student's flag or a chain's verdict says so; CANNOT-TELL (4) when a figure says
    nothing, or the teacher's own flags do; else PASS. Beside chains the student is a yardstick: its flags,
    and a chain's that are the student's as well, are shown and not counted."""
    from deploy.errors import ExitCode

    told = {word for report in reports for word in _told(report.rows)}
    if "FAIL" in told:
        return ExitCode.FAIL
    return ExitCode.CANNOT_TELL if told & {"CANNOT-TELL", "UNKNOWN"} else ExitCode.PASS


def _told(rows: tuple[PromptableRow, ...]) -> Iterator[str]:
    """Severities and outcomes that decide one report's exit code."""
    chains = any(row.role == "exported" for row in rows)
    known = {(flag.id, flag.kind) for row in rows if chains and row.role == "student" for flag in row.flags}
    for row in rows:
        if row.verdict is not None:
            yield row.verdict.outcome
        for flag in row.flags:
            if (flag.id, flag.kind) not in known:
                yield "CANNOT-TELL" if (row.role, flag.severity) == ("teacher", "FAIL") else flag.severity
