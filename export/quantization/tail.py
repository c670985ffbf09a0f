"""The arithmetic behind the last weights, which stays float: there boxes and scores would share a scale.

A detector's head ends in softmax, box arithmetic and a concat of pixels (0..640) with scores (0..1). In
8 bits a step of that concat is 2.5, so that every score becomes 0. Nothing behind the last layer with weights
is heavy, so it stays float, on every target alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST_WEIGHTS = 33
"""A projection of at most 32 numbers counts as arithmetic: YOLO's box integral is a convolution of 16."""

TAIL_REASON = "behind the last weights: in 8 bits, outputs of different range would share a scale"


@dataclass(frozen=True)
class Step:
    """One op of a graph in any format. ``weights``: number of constant elements it multiplies with."""

    name: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    weights: int


def tail_doors(steps: Sequence[Step], tail: frozenset[str], outputs: Iterable[str]) -> frozenset[str]:
    """The values that leave the trunk: read by the tail or given out, and made by a step that is in neither.

    Their ranges must never be clipped. A percentile once put the upper end of a class logit's range at 0.0,
    which capped that class's scores at 0.5.
    """
    made = {value for step in steps if step.name not in tail for value in step.makes}
    read = {value for step in steps if step.name in tail for value in step.reads}
    return frozenset(made & (read | set(outputs)))


def float_tail(steps: Sequence[Step], outputs: Iterable[str]) -> frozenset[str]:
    """Names of the steps between the outputs and the last steps with weights.

    Args:
        steps: the whole graph, in any order.
        outputs: names of the values it returns.
    """
    makers = {value: step for step in steps for value in step.makes}
    tail: set[str] = set()
    queue = [makers[name] for name in outputs if name in makers]
    while queue:
        step = queue.pop()
        if step.name in tail or step.weights >= LEAST_WEIGHTS:
            continue
        tail.add(step.name)
        queue += [makers[value] for value in step.reads if value in makers]
    return frozenset(tail)
