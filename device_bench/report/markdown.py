"""Results as Markdown tables, for pull requests and READMEs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from device_bench.report.advice import advice
from device_bench.report.provenance import facts
from device_bench.report.rows import (
    ACCURACY_COLUMNS,
    CLIP_COLUMNS,
    CLIP_LEAD,
    CLIP_TITLE,
    PAIR_COLUMNS,
    accuracy_cells,
    clip_table,
    pair_cells,
    reasons,
    run_table,
)
from device_bench.score.model import Report


def to_markdown(report: Report) -> str:
    """The same tables as on the terminal, then the reasons and the provenance."""
    parts = ["# Bench report"]
    if report.runs:
        parts += ["## Runs", table(*run_table(report))]
    clips = clip_table(report)
    if clips:
        parts += [f"## {CLIP_TITLE}", CLIP_LEAD, table(CLIP_COLUMNS, clips)]
    if report.comparisons:
        parts += ["## Interleaved", table(PAIR_COLUMNS, map(pair_cells, report.comparisons))]
    for path, accuracy in report.accuracy:
        rows = [cells for row in accuracy.rows for cells in accuracy_cells(row)]
        parts += [f"## Accuracy ({escape(str(path))})", table(ACCURACY_COLUMNS, rows)]
    if report.broken:
        rows = [[str(row.path), row.error, row.summary] for row in report.broken]
        parts += ["## Unreadable", table(("path", "error", "what is wrong"), rows)]
    lines = reasons(report)
    if lines:
        parts += ["## Why some cells are unknown", "\n".join(f"- {escape(line)}" for line in lines)]
    doubts = advice([(score.name, score.taints) for score in report.runs])
    if doubts:
        parts += ["## What to do about doubtful runs", "\n".join(f"- {escape(line)}" for line in doubts)]
    if report.runs:
        parts.append("## Provenance")
    for score in report.runs:
        parts += [f"### {escape(score.title)}", table(("fact", "value"), facts(score))]
    return "\n\n".join(parts) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table; pipes and line breaks inside cells are made harmless."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines)


def escape(text: str) -> str:
    """Text that stays inside its cell."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
