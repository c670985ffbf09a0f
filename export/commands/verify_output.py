"""What ``deploy verify`` shows: the table of drops, the self-test's answers, and where a file goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from deploy import console

if TYPE_CHECKING:
    from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
    from export.bisect.walk import Bisection, OpRow
    from export.selftest.flow import Trial

_WORST = 10


def show_report(report: AccuracyReport, stages: Mapping[str, str], *, always: bool) -> None:
    """The table of one model, and a line or two under it for every file.

    Args:
        stages: the line of parity hops by the file's hash.
        always: show that line for every file, not only for those that fail.
    """
    data = report.data
    console.table(
        f"{report.reference}: drop against fp32 on {data.samples} samples of {data.path}",
        ["target", "precision", "verdict", "metric", "fp32", "export", "drop", "95 % interval", "agreement"],
        [line for row in report.rows for line in _lines(row, report.primary_metric)],
    )
    for row in report.rows:
        needed = row.verdict.samples_needed
        hint = f" About {needed} samples would settle it." if needed else ""
        console.say(f"{_label(row)}: {row.verdict.outcome}: {row.verdict.reason}.{hint}")
        worst = max(row.slices, key=lambda part: part.figures.drop, default=None)
        if worst is not None and worst.figures.drop > 0:
            span = f"[{worst.figures.low:+.4f}, {worst.figures.high:+.4f}]"
            console.say(f"  worst slice: {worst.axis} {worst.name}, drop {worst.figures.drop:+.4f} {span}")
        if row.model_sha256 in stages and (always or row.verdict.outcome == "FAIL"):
            console.say(f"  {stages[row.model_sha256]}")


def show_trials(trials: Sequence[Trial]) -> None:
    """A row for every way a file was broken."""
    console.table(
        "Self-test: what the gate said about files broken on purpose",
        ["file", "corruption", "at", "gate", "drop"],
        [
            [
                each.file,
                each.corruption,
                each.where or "",
                each.outcome,
                "" if each.drop is None else f"{each.drop:+.4f}",
            ]
            for each in trials
        ],
    )
    for each in trials:
        if each.outcome != "CAUGHT":
            console.say(f"{each.file}: {each.corruption}: {each.outcome}: {each.reason}.")
    caught = sum(each.outcome == "CAUGHT" for each in trials)
    console.say(f"{caught} of {len(trials)} broken files were caught.")


def show_bisection(found: Bisection) -> None:
    """The culprit and the worst ten ops, in execution order."""
    worst = sorted(sorted(found.rows, key=lambda row: row.sqnr_db)[:_WORST], key=lambda row: row.index)
    console.table(
        f"{found.file}: the {len(worst)} noisiest of {len(found.rows)} values, in execution order",
        ["#", "value", "op", "dB", "falls by", "reference", "module"],
        _op_lines(worst),
    )
    for note in found.notes:
        console.say(note)
    console.say(found.summary)


def _op_lines(rows: Iterable[OpRow]) -> list[list[str]]:
    return [
        [
            str(row.index),
            row.name,
            row.op,
            f"{row.sqnr_db:.1f}",
            "" if row.fall_db is None else f"{row.fall_db:+.1f}",
            row.reference,
            row.module or "",
        ]
        for row in rows
    ]


def _label(row: AccuracyRow) -> str:
    return " ".join((*row.taints, row.target, row.precision))


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
