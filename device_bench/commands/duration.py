"""Durations as people type them: ``20s``, ``500ms``, ``2m``."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def parse_duration(text: str) -> int:
    """Nanoseconds; raises ``ValueError`` for anything but a positive number with a unit."""
    match = _FORM.fullmatch(text.strip().lower())
    value = round(float(match[1]) * _UNITS_NS[match[2]]) if match else 0
    if value <= 0:
        raise ValueError(f"{text!r} is not a duration; write 20s, 500ms or 2m")
    return value


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A click type that gives integer nanoseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See ``parse_duration``."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
