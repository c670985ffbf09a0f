"""Which tests a sample takes: those whose names have the smallest hashes, the same everywhere."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from typing import Protocol, TypeVar


class Named(Protocol):
    """What a sample needs of a test."""

    @property
    def nodeid(self) -> str:
        """The test's full name."""
        ...


Item = TypeVar("Item", bound=Named)


def draw(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, so that a sample is the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2.0**64


def sample(items: list[Item], fraction: float, most: int) -> list[Item]:
    """Of every test function the share ``fraction``, rounded up; of these at most ``most`` (0: all).

    The order stays, and a larger fraction or number contains a smaller one.
    """
    functions: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        functions[item.nodeid.partition("[")[0]].append(item)
    kept: list[str] = []
    for many in functions.values():
        wanted = math.ceil(fraction * len(many) - 1e-9)
        kept += [item.nodeid for item in sorted(many, key=lambda item: draw(item.nodeid))[:wanted]]
    if most:
        kept = sorted(kept, key=draw)[:most]
    chosen = set(kept)
    return [item for item in items if item.nodeid in chosen]
