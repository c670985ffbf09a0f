"""One line of the benchmark report: a measured ratio and the bar it must clear."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Literal


@dataclass(frozen=True)
class BenchRow:
    """``ratio`` is the median over ``n`` runs, ``low`` and ``high`` their range, in ``unit``.

    ``direction`` says on which side of ``bar`` a pass lies; a row without a bar always passes.
    """

    name: str
    ratio: float
    low: float
    high: float
    bar: float | None
    n: int
    unit: str = "x"
    direction: Literal["at least", "at most"] = "at least"

    @property
    def passed(self) -> bool:
        """Whether the median clears the bar."""
        if self.bar is None:
            return True
        return self.ratio >= self.bar if self.direction == "at least" else self.ratio <= self.bar

    def __str__(self) -> str:
        bar = "" if self.bar is None else f"{self.direction} {self.bar:g}{self.unit}"
        word = "ok" if self.passed else "MISSED"
        return (
            f"{word:6}  {self.name:44} {self.ratio:8.2f}{self.unit} "
            f"[{self.low:.2f} .. {self.high:.2f}]  n={self.n}  {bar}"
        )


def row_of(name: str, values: Sequence[float], bar: float | None, **more: str) -> BenchRow:
    """A row from the values of n runs."""
    middle = statistics.median(values)
    return BenchRow(name, middle, min(values), max(values), bar, len(values), **more)  # type: ignore[arg-type]


def tell(rows: Iterable[BenchRow]) -> int:
    """Print rows as they come; returns how many bars are missed."""
    missed = 0
    for row in rows:
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
        missed += not row.passed
    return missed


def cpu_ratios(peer: Callable[[], object], ours: Callable[[], object], pairs: int) -> list[float]:
    """CPU time of ``peer`` over ``ours``, pair by pair in turn, after one unmeasured call of each.

    CPU time, because it moved 1 to 7 % under a load that doubled wall time; every other pair runs ours first.
    """
    peer()
    ours()
    ratios = []
    for pair in range(pairs):
        first, second = (ours, peer) if pair % 2 else (peer, ours)
        times = [_cpu(first), _cpu(second)]
        ratios.append(times[1] / times[0] if pair % 2 else times[0] / times[1])
    return ratios


def _cpu(call: Callable[[], object]) -> float:
    start = process_time()
    call()
    return max(process_time() - start, 1e-9)
