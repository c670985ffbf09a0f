"""``samples.jsonl``: one line per timed inference, written in chunks, read back whatever was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError

SAMPLES = "samples.jsonl"

Row = tuple[int, ...]
"""i, t_ns, pre_ns, infer_ns, post_ns, cpu_ns (-1 where the platform has none), then a chain's stages."""


@dataclass(frozen=True)
class Samples:
    """Timed samples in order. Every array is int64 (N,), nanoseconds; ``cpu_ns`` is ``None`` if unknown.

    ``truncated`` says that the last line was cut off and left out. ``stages_ns``: of a chain, by stage.
    """

    i: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    pre_ns: NDArray[np.int64]
    infer_ns: NDArray[np.int64]
    post_ns: NDArray[np.int64]
    cpu_ns: NDArray[np.int64] | None
    truncated: bool = False
    stages_ns: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.i)

    @property
    def total_ns(self) -> NDArray[np.int64]:
        """Whole time of a frame: preprocess, inference and decode; int64 (N,)."""
        return self.pre_ns + self.infer_ns + self.post_ns


def write_rows(stream: IO[str], rows: Iterable[Row], stages: Sequence[str] = ()) -> None:
    """Append rows as ``Sample`` lines and flush them to the operating system.

    Args:
        stages: names of what stands behind the six usual numbers of a row.
    """
    lines = [
        f'{{"i":{i},"t_ns":{t},"pre_ns":{pre},"infer_ns":{infer},"post_ns":{post},'
        f'"cpu_ns":{cpu if cpu >= 0 else "null"}{_stages(stages, more)}}}\n'
        for i, t, pre, infer, post, cpu, *more in rows
    ]
    stream.writelines(lines)
    stream.flush()


def read_samples(path: Path) -> Samples:
    """Read the samples of a run; a cut-off last line loses that one sample only.

    Raises:
        DeployError: ``FILE-UNREADABLE``, or ``SAMPLES-BROKEN`` when a line before the last is broken.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Run the bench again."
        ) from error
    rows: list[tuple[int, int, int, int, int, int | None]] = []
    stages: list[dict[str, int]] = []
    truncated = bool(lines.pop())  # a whole file ends with a newline, which leaves an empty last piece
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append(
                (row["i"], row["t_ns"], row["pre_ns"], row["infer_ns"], row["post_ns"], row.get("cpu_ns"))
            )
            stages.append(row.get("stages_ns") or {})
        except (ValueError, KeyError, TypeError) as error:
            raise DeployError(
                "SAMPLES-BROKEN",
                f"{path}, line {number} is not a sample.",
                "The file was edited; run the bench again.",
            ) from error
    names = stages[0] if stages and all(each.keys() == stages[0].keys() for each in stages) else {}
    by_stage = {name: np.array([each[name] for each in stages], np.int64) for name in names}
    return replace(_columns(rows, truncated), stages_ns=by_stage)


def _stages(names: Sequence[str], values: Sequence[int]) -> str:
    """The tail of a line of a chain; empty for a single model."""
    if not names:
        return ""
    pairs = ",".join(f'"{name}":{value}' for name, value in zip(names, values, strict=True))
    return f',"stages_ns":{{{pairs}}}'


def _columns(rows: list[tuple[int, int, int, int, int, int | None]], truncated: bool) -> Samples:
    table = np.array([row[:5] for row in rows], np.int64).reshape(-1, 5)
    cpu = [row[5] for row in rows if row[5] is not None]
    has_cpu = bool(rows) and len(cpu) == len(rows)
    i, t_ns, pre_ns, infer_ns, post_ns = table.T
    return Samples(
        i, t_ns, pre_ns, infer_ns, post_ns, np.array(cpu, np.int64) if has_cpu else None, truncated
    )
