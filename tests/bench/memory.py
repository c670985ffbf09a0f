"""The most memory that this process and those it started held at one time."""

from __future__ import annotations

import threading
from contextlib import suppress

import psutil

_EVERY_S = 0.2


class PeakMemory:
    """Samples, while it is open, the sum of the proportional set sizes; ``bytes`` is the largest."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            held = 0
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    held += process.memory_full_info().pss
            self.bytes = max(self.bytes, held)
