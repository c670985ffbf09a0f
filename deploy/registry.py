"""Sockets and plugs: a folder's door plate maps a name to ``module:Class``, imported only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from deploy.errors import DeployError

T = TypeVar("T")


class DoorPlate(Generic[T]):
    """The plugs of one folder, opened by name.

    A mistyped name raises ``UNKNOWN-<KIND>`` listing the right ones; nothing is ever picked for the user.
    """

    def __init__(self, kind: str, lines: Mapping[str, str]) -> None:
        self.kind = kind
        self.lines = dict(lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    def __contains__(self, name: object) -> bool:
        return name in self.lines

    def names(self) -> list[str]:
        """The names on the plate, in the order they are written there."""
        return list(self.lines)

    def check(self, name: str) -> str:
        """Return ``name`` when it is on the plate; raise ``DeployError`` otherwise."""
        if name not in self.lines:
            kind_id = self.kind.upper().replace(" ", "-")
            raise DeployError(
                f"UNKNOWN-{kind_id}",
                f"There is no {self.kind} called {name!r}.",
                f"Choose one of: {', '.join(self.lines)}.",
            )
        return name

    def open(self, name: str) -> T:
        """Import the plug behind ``name`` and return the object its line points at."""
        return load_object(self.lines[self.check(name)])


def load_object(reference: str) -> T:  # type: ignore[type-var]
    """Import ``module:attribute`` and return the attribute.

    Raises:
        ImportError: the module is absent or fails to import.
        AttributeError: the module has no such attribute.
    """
    module_name, _, attribute = reference.partition(":")
    target: object = importlib.import_module(module_name)
    for part in attribute.split("."):
        target = getattr(target, part)
    return target  # type: ignore[return-value]
