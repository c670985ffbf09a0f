"""Control flow: branches and loops over nested blocks."""

from __future__ import annotations

from typing import Any

from export.mil.frame import Frame
from export.mil.node import Body, Kernel, Node
from export.mil.ops.registry import op


@op("cond", exact=True)
def _cond(node: Node) -> Kernel:
    """The first block when the predicate holds, else the second; their outputs are the op's."""
    read, (then, otherwise) = node.source("pred").read, node.blocks
    return lambda frame: tuple((then if bool(read(frame)) else otherwise).run(frame))


@op("while_loop", exact=True)
def _while_loop(node: Node) -> Kernel:
    """The second block is repeated on the loop's variables as long as the first one says so."""
    read, (condition, body) = node.all_sources("loop_vars").read, node.blocks

    def kernel(frame: Frame) -> tuple[Any, ...]:
        values = read(frame)
        while True:
            _enter(condition, frame, values)
            if not bool(condition.run(frame)[0]):
                return tuple(values)
            _enter(body, frame, values)
            values = body.run(frame)

    return kernel


def _enter(block: Body, frame: Frame, values: list[Any]) -> None:
    for slot, value in zip(block.inputs, values, strict=True):
        frame[slot.index] = value
