"""Conditions of a desktop that spoil a measurement, each as a taint that stands before the run's name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.threads import usable_cores

CONTENDED_RATIO = 1.1
"""Wall over CPU time of an inference above which something else had the core.

Measured: a quiet single-threaded model gives 1.00-1.02, one burner on the same cores 1.7-2.1.
"""

LOW_BATTERY_PERCENT = 25
_GOVERNORS = Path("/sys/devices/system/cpu")


def taints_before() -> list[str]:
    """Taints known before anything runs: battery, governor, and more waiting processes than cores."""
    from device_bench.harness.machine import load_average

    found = _battery_taints()
    if governors() and all(name == "powersave" for name in governors()):
        found.append("POWERSAVE")
    load = load_average()
    if load is not None and load > usable_cores():
        found.append("CONTENDED")
    return found


def governors() -> set[str]:
    """Names of the cores' frequency governors; empty where the system does not show them."""
    found = set()
    for path in _GOVERNORS.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text(encoding="ascii").strip())
        except OSError:
            continue
    return found


def _battery_taints() -> list[str]:
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None or battery.power_plugged is not False:
        return []
    low = battery.percent < LOW_BATTERY_PERCENT
    return ["ON-BATTERY", "LOW-BATTERY"] if low else ["ON-BATTERY"]


def wrong_pairing(deployment: Mapping[str, str], machine: str) -> str | None:
    """Why an 8-bit ONNX file is slow on a machine: its integer types are those of another one.

    Args:
        deployment: the artifact's; ``pairing`` is ``U8S8 (x86)`` or ``S8S8 (arm)``.
        machine: as ``platform.machine()`` names it.
    """
    pairing = deployment.get("pairing", "")
    here = "arm" if machine.lower() in ("arm64", "aarch64") else "x86"
    if not pairing or here in pairing:
        return None
    return (
        f"it is {pairing}, and this machine is {machine}: ONNX Runtime does not fuse that here and runs it "
        f"slowly. For this machine: deploy export ... --precision w8a8 --onnx-pairing {here}"
    )


def is_contended(wall_ns: int, cpu_ns: int) -> bool:
    """True when inferences took over 10 % more wall time than CPU time: they waited for a core."""
    return cpu_ns > 0 and wall_ns / cpu_ns > CONTENDED_RATIO


@dataclass
class NeighbourMeter:
    """How many cores other processes kept busy between ``start`` and ``busy_cores``."""

    _wall: float = 0.0
    _system: float = 0.0
    _own: float = 0.0

    @classmethod
    def start(cls) -> NeighbourMeter:
        """Read the counters now."""
        return cls(time.perf_counter(), _system_seconds(), time.process_time())

    def busy_cores(self) -> float:
        """Mean number of cores busy with somebody else's work since ``start``; 0 where unknown."""
        wall = time.perf_counter() - self._wall
        own = time.process_time() - self._own
        return max(0.0, (_system_seconds() - self._system - own) / wall) if wall > 0.5 else 0.0

    def taints(self, threads: int) -> list[str]:
        """``CONTENDED`` when own threads and others together wanted clearly more cores than there are."""
        return ["CONTENDED"] if threads + self.busy_cores() > usable_cores() + 0.25 else []


def _system_seconds() -> float:
    """CPU seconds spent by all processes on all cores, idle and waiting left out."""
    import psutil

    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))
