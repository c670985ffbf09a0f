"""The DAVIS-2016 table of ``docs/measuring.md``: ``python -m tests.bench.davis_table PATH``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.metrics.flow import clip_flow
from deploy.metrics.jitter import jitter_series
from deploy.metrics.steadiness import GuardedJitter, judge_steadiness, mean_figures, ranked
from tests.oracles.real import (
    DAVIS_METHODS,
    DAVIS_SEQUENCES,
    davis_frames,
    davis_prediction,
    davis_truth,
)

COLUMNS = (
    "steady J&F",
    "J&F",
    "J",
    "F",
    "flip rate",
    "excess flip rate",
    "acceleration px",
    "acceleration p95 px",
    "excess acceleration px",
    "temporal IoU",
    "lag frames",
)


def measure(root: Path, sequences: Iterable[str] = DAVIS_SEQUENCES) -> dict[str, dict[str, GuardedJitter]]:
    """Sequence to method (truth, osvos, rvos) to steadiness under guard."""
    table = {}
    for sequence in sequences:
        truth = davis_truth(root, sequence)
        flow = clip_flow(davis_frames(root, sequence))
        known = jitter_series(truth, flow)
        masks = {"truth": truth} | {m: davis_prediction(root, m, sequence) for m in DAVIS_METHODS}
        table[sequence] = {
            name: judge_steadiness(found, truth, flow, against="truth", known=known)
            for name, found in masks.items()
        }
    return table


def means(table: Mapping[str, Mapping[str, GuardedJitter]]) -> dict[str, dict[str, float | None]]:
    """Method to mean figures over sequences, best ``steady J&F`` first."""
    methods = {name for rows in table.values() for name in rows}
    figures = {name: mean_figures(rows[name] for rows in table.values()) for name in methods}
    return dict(sorted(figures.items(), key=lambda item: -(item[1]["steady J&F"] or 0.0)))


def markdown(table: Mapping[str, Mapping[str, GuardedJitter]]) -> str:
    """The table as Markdown; rows of a sequence are ranked, the means stand last."""
    lines = [f"| sequence | masks | {' | '.join(COLUMNS)} |", "|---|---|" + "---:|" * len(COLUMNS)]
    for sequence, rows in table.items():
        lines += [_line(sequence, name, rows[name].figures()) for name in ranked(rows)]
    lines += [_line("**mean**", name, figures) for name, figures in means(table).items()]
    return "\n".join(lines) + "\n"


def _line(sequence: str, name: str, figures: Mapping[str, float | None]) -> str:
    cells = []
    for column in COLUMNS:
        value = figures.get(column)
        digits = 0 if isinstance(value, int) else 1 if "px" in column else 3
        cells.append("-" if value is None else f"{round(value, digits) + 0:.{digits}f}")
    return f"| {sequence} | {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.bench.davis_table PATH  (the folder that holds JPEGImages)")
    sys.stdout.write(markdown(measure(Path(sys.argv[1]))))
