"""The run document while it is being filled: what was not reached stays null, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import (
    ClipResult,
    DeviceInfo,
    DeviceRun,
    Failure,
    GoldenResult,
    Reading,
    WarmUpResult,
)
from deploy.store import sha256_bytes, sha256_file
from deploy.toolchain import versions
from device_bench.samples import SAMPLES

NOT_MEASURED = Reading(value=None, reason="the run ended before this was measured")


@dataclass
class Record:
    """Facts of one run in the order they become known; ``finish`` freezes them."""

    plan: BenchPlan
    plan_sha256: str
    out: Path
    device: DeviceInfo
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    taints: list[str] = field(default_factory=list)
    load_ns: Reading = NOT_MEASURED
    first_inference_ns: Reading = NOT_MEASURED
    warm_up: WarmUpResult | None = None
    golden: GoldenResult | None = None
    peak_memory: Reading = NOT_MEASURED
    memory_kind: str = "none"
    load_average_before: float | None = None
    load_average_after: float | None = None
    clips: list[ClipResult] = field(default_factory=list)

    def finish(self, failure: Failure | None = None) -> DeviceRun:
        """The document; ``failed`` when there is a failure. Samples are counted in the file itself."""
        samples = self.out / SAMPLES
        payload = samples.read_bytes() if samples.exists() else b""
        return DeviceRun(
            plan_id=self.plan.plan_id,
            plan_sha256=self.plan_sha256,
            status="failed" if failure else "completed",
            failure=failure,
            started_at=self.started_at,
            device=self.device,
            taints=tuple(dict.fromkeys(self.taints)),
            load_ns=self.load_ns,
            first_inference_ns=self.first_inference_ns,
            warm_up=self.warm_up,
            golden=self.golden,
            samples_file=SAMPLES,
            samples_count=payload.count(b"\n"),
            samples_sha256=sha256_bytes(payload),
            peak_memory_bytes=self.peak_memory,
            memory_kind=self.memory_kind,
            energy_uj=Reading(value=None, reason="a desktop run measures no energy"),
            load_average_before=self.load_average_before,
            load_average_after=self.load_average_after,
            threads=self.plan.threads,
            clips=tuple(self.clips),
            toolchain=versions("numpy", "onnxruntime", "torch", "executorch", "coremltools"),
        )


def open_record(plan_folder: Path, out: Path, device: DeviceInfo) -> Record:
    """Read the plan and start its record; raises the contract's ``DeployError`` for a broken plan."""
    path = plan_folder / "plan.json"
    return Record(BenchPlan.load(path), sha256_file(path), out, device)
