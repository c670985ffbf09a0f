"""Settings that only one task has: ``--set NAME=VALUE``, checked against the task's own contract."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from deploy.contracts.base import Contract
from deploy.errors import DeployError


def read_options(task: str, kind: type[Contract] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a task, with defaults where nothing was given, as plain JSON types.

    Args:
        task: its name, for messages.
        kind: the task's ``Options``.
        given: values by name, as text or already typed; a list may be written ``16,32``.

    Raises:
        DeployError: ``UNKNOWN-SETTING``, ``SETTING-INVALID``.
    """
    if kind is None:
        if given:
            raise DeployError(
                "UNKNOWN-SETTING",
                f"{task} has no settings of its own, and {', '.join(given)} was set.",
                "Leave --set out.",
            )
        return {}
    for name in given:
        if name not in kind.model_fields:
            near = difflib.get_close_matches(name, kind.model_fields, 1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise DeployError(
                "UNKNOWN-SETTING",
                f"{task} has no setting called {name!r}.",
                f"{hint}Choose one of: {', '.join(sorted(kind.model_fields))}.",
            )
    values = {name: _listed(kind, name, value) for name, value in given.items()}
    try:
        return kind(**values).to_json()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or ", ".join(given)
        raise DeployError(
            "SETTING-INVALID",
            f"{task}: {place}: {first['msg']}.",
            f"Set it to something else: --set {place.split('.')[0]}=VALUE",
        ) from error


def split_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """``("a=1", "b=2")`` as a mapping; raises ``SETTING-INVALID`` for what is no pair."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise DeployError("SETTING-INVALID", f"{pair!r} sets nothing.", "Write --set NAME=VALUE.")
        found[name.replace("-", "_")] = value
    return found


def _listed(kind: type[Contract], name: str, value: Any) -> Any:
    """Text with commas as a list, for a setting that holds several values."""
    if isinstance(value, str) and "tuple" in str(kind.model_fields[name].annotation):
        return value.split(",")
    return value
