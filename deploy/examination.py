"""Examine this installation: every finding has a state and, unless it is fine, the command that mends it."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Literal

from packaging.specifiers import SpecifierSet

from deploy.pins import PARTS, PINS, PYTHON, TOOLS, Part, Pin, Tool
from deploy.toolchain import installed

State = Literal["fine", "missing", "BROKEN"]


@dataclass(frozen=True)
class Finding:
    """One line of the examination. ``missing`` parts are optional; ``BROKEN`` ones give wrong results."""

    state: State
    subject: str
    found: str
    because: str
    mend: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Plain JSON."""
        return asdict(self)


def examine() -> list[Finding]:
    """Python, pins, OpenCV, extras, tools; nothing heavy is imported."""
    pins = [_pin(pin) for pin in PINS if _applies(pin)]
    return [_python(), *pins, *_opencv(), *(_part(part) for part in PARTS), *(_tool(tool) for tool in TOOLS)]


def _python() -> Finding:
    version = platform.python_version()
    fine = SpecifierSet(PYTHON).contains(version, prereleases=True)
    return Finding(
        "fine" if fine else "BROKEN",
        f"python {PYTHON}",
        version,
        "the converters have wheels for these versions only",
        None if fine else "python3.11 -m venv .venv && .venv/bin/pip install 'pocketproof[all]'",
    )


def _applies(pin: Pin) -> bool:
    beside = pin.beside is None or installed(pin.beside) is not None
    return beside and installed(pin.package) is not None


def _pin(pin: Pin) -> Finding:
    version = installed(pin.package) or ""
    fine = SpecifierSet(pin.versions).contains(version, prereleases=True)
    beside = f" beside {pin.beside} {installed(pin.beside)}" if pin.beside else ""
    return Finding(
        "fine" if fine else "BROKEN",
        f"{pin.package} {pin.versions}",
        f"{version}{beside}",
        pin.because,
        None if fine else f"pip install '{pin.package}{pin.versions}'",
    )


def _opencv() -> list[Finding]:
    """Two OpenCV builds share one folder; that is fine as long as they are the same version."""
    headless, full = installed("opencv-python-headless"), installed("opencv-python")
    if headless is None or full is None or headless == full:
        return []
    return [
        Finding(
            "BROKEN",
            "one OpenCV version",
            f"opencv-python {full}, opencv-python-headless {headless}",
            "both install into the same folder, and the one installed last wins",
            f"pip install 'opencv-python-headless=={full}'",
        )
    ]


def _part(part: Part) -> Finding:
    missing = [package for package in part.packages if installed(package) is None]
    if not missing:
        found = ", ".join(f"{package} {installed(package)}" for package in part.packages)
        return Finding("fine", f"extra [{part.extra}]", found, f"without it: {part.without}")
    return Finding(
        "missing",
        f"extra [{part.extra}]",
        f"no {', '.join(missing)}",
        f"without it: {part.without}",
        f"pip install 'pocketproof[{part.extra}]'",
    )


def _tool(tool: Tool) -> Finding:
    path = next((found for name in tool.names if (found := shutil.which(name))), None)
    if path is not None:
        return Finding("fine", tool.names[0], path, tool.purpose)
    return Finding(
        "missing", tool.names[0], "not on PATH", tool.purpose, tool.mend.get(sys.platform, tool.mend["linux"])
    )
