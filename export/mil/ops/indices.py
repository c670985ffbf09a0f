"""Indices of gathers and scatters: negative ones, those out of range, and when they are an error."""

from __future__ import annotations

import torch

from deploy.errors import DeployError
from export.mil.node import Node

Tensor = torch.Tensor
_IOS17 = 7


class IndexRule:
    """How one op treats its indices.

    Up to iOS 16 negative indices count from the end. From iOS 17 they are out of bounds, and what out of
    bounds means depends on ``validate_indices``: an error, or something undefined but safe (here: gathers
    read the nearest element, scatters write nothing).
    """

    def __init__(self, node: Node) -> None:
        self._strict = node.flag("validate_indices")
        self._wraps = node.opset < _IOS17
        self._what = f"{node.kind} {node.name}"

    def positions(self, indices: Tensor, size: int) -> Tensor:
        """Indices along an axis of ``size``, made non-negative; only checked, not yet clamped.

        Raises:
            DeployError: ``MIL-INDEX-OUT-OF-RANGE`` when the op validates its indices.
        """
        if self._wraps:
            indices = torch.where(indices < 0, indices + size, indices)
        if self._strict and indices.numel() and bool(((indices < 0) | (indices >= size)).any()):
            raise DeployError(
                "MIL-INDEX-OUT-OF-RANGE",
                f"{self._what} got an index outside 0..{size - 1}, which the program forbids.",
                "Check the model's input, or the code that computes the index.",
            )
        return indices

    def safe(self, indices: Tensor, size: int) -> Tensor:
        """Positions that can be read."""
        return self.positions(indices, size).clamp(0, max(size - 1, 0))
