"""Op by op: how far each value of a file is from the reference's, and which op is the first to go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deploy.errors import ExitCode
from export.bisect.reference import Node
from export.parity import TOLERANCE_DB

_FLOOR_DB = {"fp32": 130.0, "fp16": 70.0}
_FLOOR_QUANTIZED_DB = 45.0
"""What a healthy op of that precision reaches: a fall from "exact" to here is no fall."""


@dataclass(frozen=True)
class OpRow:
    """One value of the file. ``sqnr_db`` is the worst over the samples; ``fall_db`` how much worse than the
    worst value it was computed from, ``None`` where none of those could be matched."""

    index: int
    name: str
    op: str
    reference: str
    module: str | None
    sqnr_db: float
    fall_db: float | None


@dataclass(frozen=True)
class Bisection:
    """A walked file. ``culprit`` is the first value below ``tolerance_db``, ``None`` when there is none."""

    file: str
    precision: str
    samples: int
    tolerance_db: float
    rows: tuple[OpRow, ...]
    culprit: OpRow | None
    steepest: OpRow | None
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence for people."""
        if self.culprit is not None:
            row = self.culprit
            return (
                f"It goes wrong at {_place(row)}: {row.sqnr_db:.1f} dB, below the {self.tolerance_db:.0f} dB "
                f"that {self.precision} needs."
            )
        text = f"No value is below the {self.tolerance_db:.0f} dB that {self.precision} needs."
        if self.steepest is not None and self.steepest.fall_db is not None and self.steepest.fall_db > 0:
            text += f" The largest single fall is {self.steepest.fall_db:.1f} dB, at {_place(self.steepest)}."
        return text

    @property
    def exit_code(self) -> ExitCode:
        """PASS, FAIL with a culprit, CANNOT-TELL where nothing could be matched."""
        if self.culprit is not None:
            return ExitCode.FAIL
        return ExitCode.PASS if self.rows else ExitCode.CANNOT_TELL

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; rows in execution order."""
        return {**asdict(self), "summary": self.summary}


def order_rows(
    found: Sequence[tuple[str, str, str, float]], nodes: Mapping[str, Node]
) -> tuple[tuple[str, str, str, float, float | None], ...]:
    """Add to every (value, op, node, dB) the fall from what it was computed from, in dB before any floor."""
    worst: dict[str, float] = {}
    for _, _, node, decibels in found:
        worst[node] = min(decibels, worst.get(node, decibels))
    rows = []
    for name, op, node, decibels in found:
        before = [worst[each] for each in _known_inputs(node, nodes, worst)]
        rows.append((name, op, node, decibels, min(before) - decibels if before else None))
    return tuple(rows)


def conclude(
    file: str,
    precision: str,
    samples: int,
    found: Sequence[tuple[str, str, str, float, float | None]],
    nodes: Mapping[str, Node],
    notes: tuple[str, ...],
) -> Bisection:
    """Name the first op below the tolerance of ``precision``, and the steepest fall.

    Args:
        found: (value, op, node, dB, fall) in execution order.
    """
    floor = _FLOOR_DB.get(precision, _FLOOR_QUANTIZED_DB)
    rows = []
    for index, (name, op, node, decibels, fall) in enumerate(found):
        capped = None if fall is None else min(fall + decibels, floor) - decibels
        rows.append(OpRow(index, name, op, node, nodes[node].module, round(decibels, 2), _round(capped)))
    tolerance = TOLERANCE_DB.get(precision, 0.0)
    culprit = next((row for row in rows if row.sqnr_db < tolerance), None)
    falling = [row for row in rows if row.fall_db is not None]
    steepest = max(falling, key=lambda row: row.fall_db or 0.0, default=None)
    return Bisection(file, precision, samples, tolerance, tuple(rows), culprit, steepest, notes)


def _known_inputs(node: str, nodes: Mapping[str, Node], worst: Mapping[str, float]) -> set[str]:
    """The nearest nodes before ``node`` whose values were matched."""
    found: set[str] = set()
    ahead, visited = list(nodes[node].inputs), set()
    while ahead:
        name = ahead.pop()
        if name in visited or name not in nodes:
            continue
        visited.add(name)
        if name in worst:
            found.add(name)
        else:
            ahead.extend(nodes[name].inputs)
    return found


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _place(row: OpRow) -> str:
    module = f" in {row.module}" if row.module else ""
    return f"{row.name} ({row.op}; node {row.reference}{module})"
