"""This machine as a device: the harness in a process of its own, so that its crash is a recorded result."""

from __future__ import annotations

from pathlib import Path

from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import DeviceRun, Failure
from deploy.errors import DeployError
from deploy.runtimes import RUNTIMES
from device_bench.harness.machine import device_info
from device_bench.harness.record import open_record
from device_bench.transports.protocol import DeviceRow, Progress
from device_bench.worker import run_worker

HARNESS = "device_bench.harness"
SPARE_S = 600.0
"""Beyond the plan's own times, how long a harness may take to load, test itself and write masks."""


class DesktopTransport:
    """See ``device_bench.transports.protocol.Transport``."""

    slug = "desktop"

    def __init__(self, address: str) -> None:
        if address:
            raise DeployError(
                "UNKNOWN-DEVICE",
                f"The desktop has no address, and {address!r} was given.",
                "Type --device desktop.",
            )

    @staticmethod
    def devices() -> list[DeviceRow]:
        """This machine; its details name the runtimes it has and why it lacks the others."""
        info = device_info()
        reasons = {name: RUNTIMES.open(name).why_not() for name in RUNTIMES}
        runs = [name for name, reason in reasons.items() if reason is None]
        lacks = [f"{name}: {reason}" for name, reason in reasons.items() if reason is not None]
        memory = info.memory_bytes / (1 << 30)
        details = f"{info.os}, {info.cores} cores, {memory:.0f} GiB; runs {', '.join(runs) or 'nothing'}"
        usable = None if runs else "no runtime is installed (pip install 'pocketproof[bench]')"
        return [DeviceRow("desktop", info.cpu, bool(runs), usable, "\n".join([details, *lacks]))]

    def why_not(self, target: str) -> str | None:
        """The runtime's own reason on this machine."""
        return RUNTIMES.open(target).why_not()

    def run(self, plan_folder: Path, out: Path, progress: Progress) -> DeviceRun:
        """Spawn the harness, follow its progress, and record however it ended."""
        out.mkdir(parents=True, exist_ok=True)
        plan = BenchPlan.load(plan_folder / "plan.json")
        limit = SPARE_S + (plan.duration_ns + plan.warm_up.max_ns) / 1e9
        ended = run_worker(HARNESS, [str(plan_folder), str(out)], plan.threads, limit, progress)
        if (out / "run.json").exists():
            return DeviceRun.load(out / "run.json")
        record = open_record(plan_folder, out, device_info())
        run = record.finish(Failure(id=ended.error or "HARNESS-CRASHED", summary=ended.summary))
        run.save(out / "run.json")
        return run
