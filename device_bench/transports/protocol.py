"""The socket of a transport: takes a plan folder to a device and brings the run back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.contracts.run import DeviceRun

Progress = Callable[[str, float, float], None]
"""Called with the stage's name, how far it is, and its whole length (0 when unknown)."""


@dataclass(frozen=True)
class DeviceRow:
    """A device that was found. ``spec`` is what to type after --device; ``reason`` is why it is unusable."""

    spec: str
    name: str
    usable: bool
    reason: str | None = None
    details: str = ""


class Transport(Protocol):
    """One device. Whatever happens on it comes back as a run; only an unreachable device raises."""

    slug: str

    def __init__(self, address: str) -> None: ...

    @staticmethod
    def devices() -> list[DeviceRow]:
        """Every device of this kind that can be seen, usable or not."""
        ...

    def why_not(self, target: str) -> str | None:
        """Why this device cannot run files of ``target``, or ``None`` when it can."""
        ...

    def run(self, plan_folder: Path, out: Path, progress: Progress) -> DeviceRun:
        """Carry the plan out; ``out`` then holds run.json, samples.jsonl and masks/.

        A crash, a kill or a time-out on the device is a ``failed`` run, never an exception.
        """
        ...
