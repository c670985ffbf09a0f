"""What this desktop is, and what it says about itself: name, load, memory peak."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

from deploy.contracts.run import DeviceInfo, Reading
from deploy.store import sha256_bytes
from deploy.threads import usable_cores


def device_info() -> DeviceInfo:
    """This machine; its serial is the hash of the system's machine id where it can be read."""
    import psutil

    serial = _machine_id()
    return DeviceInfo(
        platform="desktop",
        name=f"{platform.system()} {platform.machine()} desktop",
        os=_os_name(),
        cpu=_cpu_name(),
        cores=usable_cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        serial_sha256=sha256_bytes(serial.encode()) if serial else None,
    )


def peak_memory() -> tuple[Reading, str]:
    """Peak resident memory of this process in bytes, and the counter that says so."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return Reading(value=int(line.split()[1]) * 1024), "VmHWM"
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Reading(value=int(peak) * (1 if sys.platform == "darwin" else 1024)), "ru_maxrss"


def load_average() -> float | None:
    """Runnable processes averaged over one minute, or ``None`` where the system does not say."""
    try:
        return float(os.getloadavg()[0])
    except OSError:
        return None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _machine_id() -> str | None:
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
