"""The register of ops: each family's module registers builders, which turn a node into a kernel."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from export.mil.node import Kernel, Node
from export.mil.ops import FAMILIES

Builder = Callable[[Node], Kernel]


@dataclass(frozen=True)
class Registered:
    """A builder and what is known of the values it makes.

    ``exact``: every output element is one of the input's, or representable whenever they are, so rounding
    it again changes nothing. ``fresh``: the result shares no memory with inputs, so it may be changed.
    """

    build: Builder
    family: str
    exact: bool
    fresh: bool


_OPS: dict[str, Registered] = {}


def op(*names: str, exact: bool = False, fresh: bool = False) -> Callable[[Builder], Builder]:
    """Register a builder under one or more op types (see ``Registered`` for the flags)."""

    def register(build: Builder) -> Builder:
        for name in names:
            _OPS[name] = Registered(build, build.__module__.rpartition(".")[2], exact, fresh)
        return build

    return register


def ops() -> dict[str, Registered]:
    """Every op this runner knows, by type; imports all families."""
    for module in FAMILIES.values():
        importlib.import_module(module)
    return _OPS
