"""Figures of the suites: what agreed, what did not, and what was never asked, by reason."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.conformance.known import Known

BAR = 99.0
"""Percent of the tests that asked for a prediction and need no Mac."""

_REASONS = (
    ("neural network backend", re.compile(r"neural ?network", re.I)),
    ("needs a Mac", re.compile(r"needs a Mac|requires? mac ?os|only runs? on (?:apple|mac)", re.I)),
    (
        "missing optional package",
        re.compile(
            r"not found|could not import|no module|not installed|requires? .*(tensorflow|torch\w+)", re.I
        ),
    ),
)


@dataclass
class Figures:
    """One suite. ``ran`` tests asked the runner for a prediction.

    ``unrounded`` tests agree only with a runner that leaves fp16 values unrounded; ``steps`` tests then still
    differ by up to two fp16 steps of the largest value, though the test allows less. ``stopped`` tests failed
    before Core ML was asked anything: in the converter, or in the test itself. ``silent`` tests passed
    without asking. ``expected`` are failures that coremltools expects of Core ML.
    """

    suite: str
    collected: int = 0
    drawn: int = 0
    agreed: int = 0
    unrounded: int = 0
    steps: int = 0
    failed: int = 0
    needs_a_mac: int = 0
    stopped: int = 0
    silent: int = 0
    expected: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ran(self) -> int:
        """Tests that asked for a prediction and need no Mac."""
        return self.agreed + self.unrounded + self.steps + self.failed

    @property
    def percent(self) -> float:
        """Share of them that agreed, fp16 rounding aside."""
        return 100.0 * (self.ran - self.failed) / self.ran if self.ran else 100.0

    @property
    def strictly(self) -> float:
        """Share of them that agreed with fp16 values rounded."""
        return 100.0 * self.agreed / self.ran if self.ran else 100.0

    def to_json(self) -> dict[str, Any]:
        """For ``--json`` and ``figures.json``."""
        return asdict(self)


def count(suite: str, records: list[dict[str, Any]], known: Known) -> Figures:
    """Figures of a suite from its records, only those that its last collection drew."""
    heads = [each for each in records if "drawn" in each]
    figures = Figures(suite)
    if not heads:
        return figures
    head = heads[-1]
    figures.collected, drawn = head["collected"], set(head["ids"])
    figures.drawn = len(drawn)
    skipped: Counter[str] = Counter({"neural network backend": head["networks"]})
    causes: Counter[str] = Counter()
    for record in {each["id"]: each for each in records if each.get("id") in drawn}.values():
        figures.seconds += record["seconds"]
        outcome = record["outcome"]
        if outcome == "agreed":
            figures.agreed += 1
        elif outcome == "unrounded":
            figures.unrounded += 1
        elif outcome == "steps":
            figures.steps += 1
        elif outcome == "silent":
            figures.silent += 1
        elif outcome in ("xfailed", "xpassed"):
            figures.expected += 1
        elif outcome == "skipped":
            skipped[_reason(record["reason"])] += 1
        else:
            _failure(figures, causes, record, known)
    figures.seconds = round(figures.seconds, 1)
    figures.skipped, figures.causes = dict(skipped), dict(causes)
    return figures


def _failure(figures: Figures, causes: Counter[str], record: dict[str, Any], known: Known) -> None:
    entry = known.find(record["id"], record["reason"])
    if entry is None:
        figures.unlisted.append(f"{record['id']}: {record['reason']}")
    else:
        causes[entry.name] += 1
    if entry is not None and entry.kind == "needs a Mac":
        figures.needs_a_mac += 1
    elif record["predictions"] or record["refusals"]:
        figures.failed += 1
    else:
        figures.stopped += 1


def _reason(text: str) -> str:
    for name, pattern in _REASONS:
        if pattern.search(text):
            return name
    return "coremltools' own reason"


_SUMMED = (
    "collected",
    "drawn",
    "agreed",
    "unrounded",
    "steps",
    "failed",
    "needs_a_mac",
    "stopped",
    "silent",
    "expected",
)


def total(all_figures: list[Figures]) -> Figures:
    """The sum over the suites."""
    whole = Figures("total")
    for each in all_figures:
        for name in _SUMMED:
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
        whole.seconds += each.seconds
        whole.skipped = dict(Counter(whole.skipped) + Counter(each.skipped))
        whole.causes = dict(Counter(whole.causes) + Counter(each.causes))
        whole.unlisted += each.unlisted
    return whole


COLUMNS = (
    "suite",
    "collected",
    "drawn",
    "ran",
    "agreed",
    "unrounded",
    "steps",
    "failed",
    "% agreed",
    "% rounded",
    "not asked",
)


def row(figures: Figures) -> tuple[str, ...]:
    """A line of the table, in the order of ``COLUMNS``."""
    quiet = {
        "passed without a prediction": figures.silent,
        "stopped before a prediction": figures.stopped,
        "expected to fail by coremltools": figures.expected,
        **figures.skipped,
    }
    quiet["needs a Mac"] = quiet.get("needs a Mac", 0) + figures.needs_a_mac
    words = ", ".join(f"{number} {name}" for name, number in quiet.items() if number)
    before = (figures.collected, figures.drawn, figures.ran)
    after = (figures.agreed, figures.unrounded, figures.steps, figures.failed)
    shares = (f"{figures.percent:.2f}", f"{figures.strictly:.2f}")
    return (figures.suite, *map(str, before + after), *shares, words)


def table(all_figures: list[Figures]) -> str:
    """Every suite and the total, as lines of text."""
    rows = [COLUMNS, *map(row, [*all_figures, total(all_figures)])]
    widths = [max(len(line[column]) for line in rows) for column in range(len(COLUMNS) - 1)]
    lines = []
    for line in rows:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:], strict=True)]
        lines.append("  ".join([*cells, line[-1]]))
    return "\n".join(lines) + "\n"
