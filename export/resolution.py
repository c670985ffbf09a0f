"""What a precision's name means on each target: not all have all, and ``int8`` is another one each time."""

from __future__ import annotations

from collections.abc import Sequence

from deploy import console
from deploy.errors import DeployError
from deploy.registry import DoorPlate
from export.precisions import ALIASES, PRECISIONS
from export.targets import TARGETS

_NAMES: DoorPlate[str] = DoorPlate("precision", {name: name for name in (*PRECISIONS, *ALIASES)})


def resolve(targets: Sequence[str], precisions: Sequence[str]) -> list[tuple[str, str]]:
    """Every (target, canonical precision), in the order asked, each once; resolutions are printed.

    Without targets there is nothing but the reference to make.

    Raises:
        DeployError: ``UNKNOWN-PRECISION`` for a name that does not exist, ``PRECISION-LACKING`` where none of
            the targets has it. What only some have is made for those, and said.
    """
    cells: list[tuple[str, str]] = []
    for name in map(_NAMES.check, precisions):
        having = {target: _meaning(target, name) for target in targets}
        lacking = [target for target, meaning in having.items() if meaning is None]
        if targets and len(lacking) == len(targets):
            offers = "; ".join(
                f"{target}: {', '.join(TARGETS.open(target).PRECISIONS)}" for target in targets
            )
            raise DeployError(
                "PRECISION-LACKING",
                f"{' and '.join(targets)} cannot be exported at {name}.",
                f"Choose one of: {offers}.",
            )
        for target in lacking:
            console.note(f"{target} has no {name}; it is left out (it has {', '.join(_of(target))}).")
        for target, meaning in having.items():
            if meaning is not None and name in ALIASES:
                console.note(f"{name} on {target}: {meaning} ({PRECISIONS[meaning].summary}).")
        cells += [(target, meaning) for target, meaning in having.items() if meaning is not None]
    order = {target: number for number, target in enumerate(targets)}
    return sorted(dict.fromkeys(cells), key=lambda cell: order[cell[0]])


def _meaning(target: str, name: str) -> str | None:
    """The canonical precision, or ``None`` where the target has no such thing."""
    meaning = TARGETS.open(target).INT8 if name in ALIASES else name
    return meaning if meaning in _of(target) else None


def _of(target: str) -> tuple[str, ...]:
    return TARGETS.open(target).PRECISIONS
