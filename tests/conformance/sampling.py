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


def sample(items: list[Item], fraction: float, least: int) -> list[Item]:
    """Of every test function the share ``fraction``, rounded up and at least ``least``, in its old order."""
    functions: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        functions[item.nodeid.partition("[")[0]].append(item)
    kept: set[str] = set()
    for many in functions.values():
        wanted = max(least, math.ceil(fraction * len(many) - 1e-9))
        kept |= {item.nodeid for item in sorted(many, key=lambda item: draw(item.nodeid))[:wanted]}
    return [item for item in items if item.nodeid in kept]
