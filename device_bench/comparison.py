"""What ``deploy bench A B --interleave`` writes: raw pairs, from which ratios are computed when read."""

from __future__ import annotations

from typing import ClassVar, Literal

from deploy.contracts.base import Contract, Document
from deploy.contracts.run import DeviceInfo

COMPARISON = "comparison.json"


class Compared(Contract):
    """One side of a comparison."""

    name: str
    target: str
    precision: str
    model_sha256: str


class Comparison(Document):
    """``comparison.json``. Element k of each list belongs to pair k; odd pairs ran B first.

    ``wall`` and ``cpu`` are nanoseconds of the inference alone (CPU over all threads).
    """

    KIND: ClassVar[str] = "comparison"

    document: Literal["comparison"] = "comparison"
    a: Compared
    b: Compared
    device: DeviceInfo
    taints: tuple[str, ...]
    started_at: str
    threads: int
    seed: int
    a_wall_ns: tuple[int, ...]
    b_wall_ns: tuple[int, ...]
    a_cpu_ns: tuple[int, ...]
    b_cpu_ns: tuple[int, ...]
    toolchain: dict[str, str]
