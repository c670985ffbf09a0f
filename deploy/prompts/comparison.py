"""Several evaluations in one table, or a refusal: figures of different protocols are not comparable."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.contracts.promptable import EvalProtocol, Kind, PromptableReport, PromptableRow, PromptFigure
from deploy.errors import DeployError, ExitCode

TABLE_METRICS = {
    "mIoU": "mIoU",
    "boundary_F": "F",
    "mask_AP": "AP",
    "presence_F1": "F1",
    "IL_MCC": "MCC",
    "presence_FPR": "FPR",
    "cgF1": "cgF1",
    "sensitivity": "sens.",
    "selectivity": "select.",
}
"""The figures that stand in a table, in their order, and the heads of their columns."""


def compare(reports: Sequence[PromptableReport]) -> tuple[PromptableRow, ...]:
    """The rows of all reports, each model once (by name, role and hash), the truth first.

    Raises:
        DeployError: ``INCOMPARABLE-PROTOCOL`` (exit code 5) where protocols differ, naming the first
            difference; ``PROMPTS-DIFFER`` where a row was asked other prompts than its protocol says.
    """
    if not reports:
        return ()
    for each in reports:
        demand_same_prompts(each)
    first = reports[0]
    for other in reports[1:]:
        if other.protocol.digest() != first.protocol.digest():
            raise DeployError(
                "INCOMPARABLE-PROTOCOL",
                f"Two reports were made by different protocols "
                f"({_difference(first.protocol, other.protocol)}); their figures cannot share a table.",
                "Evaluate all models in one go: deploy verify --task promptable_masks RUN RUN2 --data DATA",
                ExitCode.INCOMPARABLE,
            )
    rows: dict[tuple[str, str, str | None], PromptableRow] = {}
    for row in (row for report in reports for row in report.rows):
        rows.setdefault((row.role, row.name, row.sha256), row)
    order = ("truth", "teacher", "student", "exported")
    return tuple(sorted(rows.values(), key=lambda row: order.index(row.role)))


def demand_same_prompts(report: PromptableReport) -> None:
    """Raise ``PROMPTS-DIFFER`` or ``INCOMPARABLE-PROTOCOL`` (exit code 5) unless the report's hash is that of
    its protocol and every row was handed exactly the prompts of the protocol, for every kind it answers."""
    if report.protocol_sha256 != report.protocol.digest():
        raise DeployError(
            "INCOMPARABLE-PROTOCOL",
            "A report's protocol is not the one its hash was taken of; it was edited.",
            "Evaluate again: deploy verify --task promptable_masks RUN --data DATA",
            ExitCode.INCOMPARABLE,
        )
    wanted = {each.kind: each for each in report.protocol.prompts}
    for row in report.rows:
        for asked in row.asked:
            if asked != wanted.get(asked.kind):
                raise DeployError(
                    "PROMPTS-DIFFER",
                    f"{row.role} {row.name} was asked other {asked.kind} prompts than the protocol says; "
                    "what it answered cannot stand beside the others.",
                    "Hand every model the same prompts, and evaluate again.",
                    ExitCode.INCOMPARABLE,
                )


def table(rows: Sequence[PromptableRow], kind: Kind = "text") -> tuple[list[str], list[list[str]]]:
    """Column heads and cells of the rows' figures for one kind of prompt; null is a dash, and a figure that
    is null for every row has no column."""
    figures = {metric: [row.figure(metric, kind) for row in rows] for metric in TABLE_METRICS}
    shown = {
        metric: found
        for metric, found in figures.items()
        if any(each is not None and each.value is not None for each in found)
    }
    heads = ["model", *(TABLE_METRICS[metric] for metric in shown), "flags"]
    lines = []
    for place, row in enumerate(rows):
        flags = dict.fromkeys(flag.id for flag in row.flags if flag.kind == kind)
        name = " ".join(dict.fromkeys((*row.taints, row.role, row.name)))
        cells = [_cell(found[place]) for found in shown.values()]
        lines.append([name, *cells, ", ".join(flags) or "none"])
    return heads, lines


def _cell(figure: PromptFigure | None) -> str:
    if figure is None or figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _difference(first: EvalProtocol, other: EvalProtocol) -> str:
    """The first field that differs, with both values cut short."""
    one, two = first.to_json(), other.to_json()
    field = next(key for key in one if one[key] != two[key])
    return f"{field.replace('_', ' ')}: {str(one[field])[:40]} and {str(two[field])[:40]}"
