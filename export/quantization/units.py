"""The layers that can go narrow on their own: an op with weights and the arithmetic behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from export.quantization.tail import LEAST_WEIGHTS, Step


@dataclass(frozen=True)
class Unit:
    """``name``: its op with weights; ``steps``: that and all up to the next one; ``weights``: elements."""

    name: str
    steps: tuple[str, ...]
    weights: int


def units_of(steps: Sequence[Step], tail: frozenset[str]) -> tuple[Unit, ...]:
    """A graph's layers in the order they run; what has several layers before it belongs to the latest.

    Args:
        steps: the graph, makers before readers.
        tail: names of steps that are float anyway.
    """
    members: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    owner: dict[str, str] = {}
    for step in steps:
        if step.name in tail:
            continue
        if step.weights >= LEAST_WEIGHTS:
            unit, sizes[step.name] = step.name, step.weights
        else:
            before = [owner[value] for value in step.reads if value in owner]
            if not before:
                continue
            order = list(members)
            unit = max(before, key=order.index)
        owner |= dict.fromkeys(step.makes, unit)
        members.setdefault(unit, []).append(step.name)
    return tuple(Unit(name, tuple(names), sizes[name]) for name, names in members.items())


def widened(
    steps: Sequence[Step], tail: frozenset[str], layers: Collection[str], called: Callable[[str], str]
) -> frozenset[str]:
    """Names of the steps that stay float when some layers of the captured program do.

    Args:
        steps: the graph in this format.
        tail: its float tail.
        layers: the layers' names in the captured program.
        called: a step's name in this format to the name it had in the captured program.
    """
    chosen = [unit for unit in units_of(steps, tail) if called(unit.name) in layers]
    return frozenset(name for unit in chosen for name in unit.steps)
