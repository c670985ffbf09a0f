"""States: tensors that outlive a prediction (iOS 18)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op


@dataclass
class Cell:
    """The place of one state; values are replaced, never changed, so readers keep what they read."""

    value: torch.Tensor


@op("read_state", exact=True)
def _read_state(node: Node) -> Kernel:
    return node.apply(lambda cell: cell.value, "input")


@op("coreml_update_state", exact=True)
def _update_state(node: Node) -> Kernel:
    return node.apply(_write, "state", "value")


@op("write_state", exact=True)
def _write_state(node: Node) -> Kernel:
    return node.apply(_write, "input", "data")


def _write(cell: Cell, value: torch.Tensor) -> torch.Tensor:
    cell.value = value
    return value
