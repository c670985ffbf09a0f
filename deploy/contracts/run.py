"""What a device sends back: ``run.json`` and one JSON line per timed inference."""

from __future__ import annotations

from typing import ClassVar, Literal

from deploy.contracts.base import Contract, Document


class Sample(Contract):
    """A line of ``samples.jsonl``: one timed frame. Times are integer nanoseconds of a monotonic clock.

    ``cpu_ns`` is the CPU time of the inference over all threads, ``None`` where the platform has none.
    ``stages_ns``: the parts of a chain's ``infer_ns`` in their order, by name; ``None`` for a single model.
    """

    i: int
    t_ns: int
    pre_ns: int
    infer_ns: int
    post_ns: int
    cpu_ns: int | None = None
    stages_ns: dict[str, int] | None = None


class Reading(Contract):
    """A measured integer, or ``None`` with the reason; never 0 for "not measured"."""

    value: int | None
    reason: str | None = None


class DeviceInfo(Contract):
    """The machine that ran. ``serial_sha256`` identifies it without giving its serial number away."""

    platform: Literal["desktop", "android", "ios", "simulated", "arm64"]
    name: str
    os: str
    cpu: str
    cores: int
    memory_bytes: int
    serial_sha256: str | None = None


class WarmUpResult(Contract):
    """How warm-up went; ``steady`` False means the time limit ended it, and the run says so."""

    iterations: int
    duration_ns: int
    steady: bool


class GoldenResult(Contract):
    """The self-test before measuring: worst SQNR over golden samples, in dB (capped at 200)."""

    status: Literal["PASS", "FAIL", "SKIPPED"]
    reason: str | None = None
    sqnr_db: float | None = None
    samples: int


class ClipResult(Contract):
    """Where the masks of one clip lie (``mask_files`` in frame order, relative to the run folder)."""

    sequence: str
    mask_files: tuple[str, ...]


class Failure(Contract):
    """A crash, time-out or refusal as a recorded result."""

    id: str
    summary: str


class DeviceRun(Document):
    """``run.json``. Raw samples lie in ``samples_file``; every statistic is computed when it is read."""

    KIND: ClassVar[str] = "run"

    document: Literal["run"] = "run"
    plan_id: str
    plan_sha256: str
    status: Literal["completed", "failed"]
    failure: Failure | None = None
    started_at: str
    device: DeviceInfo
    taints: tuple[str, ...]
    load_ns: Reading
    first_inference_ns: Reading
    warm_up: WarmUpResult | None
    golden: GoldenResult | None
    samples_file: str
    samples_count: int
    samples_sha256: str
    peak_memory_bytes: Reading
    memory_kind: str
    energy_uj: Reading
    load_average_before: float | None
    load_average_after: float | None
    threads: int
    clips: tuple[ClipResult, ...] = ()
    toolchain: dict[str, str]
