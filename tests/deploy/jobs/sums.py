"""A small work for job tests: sums of numbers, which can kill the process it runs in, once or always."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.errors import DeployError


def maker(settings: dict[str, Any]) -> Callable[[list[int]], dict[str, Any]]:
    """A function that sums numbers; what it does at 13 and 666 stands in ``settings``."""

    def work(numbers: list[int]) -> dict[str, Any]:
        if 13 in numbers and (marker := settings.get("die_once")) and not Path(marker).exists():
            Path(marker).write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        if 666 in numbers and settings.get("die_always"):
            os.kill(os.getpid(), signal.SIGKILL)
        if not numbers:
            raise DeployError("NO-NUMBERS", "There are no numbers.", "Give some.")
        return {"sum": sum(numbers), "mean": sum(numbers) / len(numbers)}

    if settings.get("broken"):
        raise DeployError("MAKER-BROKEN", "The maker is broken.", "Mend it.")
    return work
