"""What is linted: a captured program with its values on real samples, a written file, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

_SMALLEST_HALF = 2.0**-25
"""Half of fp16's smallest subnormal: what is below rounds to zero."""


@dataclass
class Range:
    """A node's values over the samples: extremes, and how many that are not zero would be in fp16."""

    low: float
    high: float
    vanishing: int
    nonzero: int

    @property
    def largest(self) -> float:
        """Largest absolute value."""
        return max(abs(self.low), abs(self.high))

    def widen(self, other: Range) -> Range:
        """Both together."""
        return Range(
            min(self.low, other.low),
            max(self.high, other.high),
            self.vanishing + other.vanishing,
            self.nonzero + other.nonzero,
        )


@dataclass
class LintSubject:
    """The thing itself, and what is meant to be done with it.

    ``program`` is ``None`` for a file without its reference; ``file`` is ``None`` for a model that was not
    exported yet, and ``target`` the format of the file. ``targets`` are those the model should go to,
    ``system`` the oldest system a Core ML package should run on.
    """

    program: ExportedProgram | None
    samples: Sequence[tuple[torch.Tensor, ...]]
    targets: tuple[str, ...]
    system: str = "iOS17"
    file: Path | None = None
    target: str | None = None

    @cached_property
    def module(self) -> GraphModule | None:
        """The program as an fx module."""
        found: GraphModule | None = None if self.program is None else self.program.module()  # type: ignore[assignment]
        return found

    @property
    def nodes(self) -> list[Node]:
        """Nodes that compute something, in order."""
        if self.module is None:
            return []
        return [node for node in self.module.graph.nodes if node.op == "call_function"]

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """Ranges of every float value of the program over the samples, inputs too."""
        if self.module is None or not self.samples:
            return {}
        return _ranges(self.module, self.samples)

    def to_file(self, target: str) -> Path | None:
        """The file to look into for ``target``; ``None`` where it is another's or there is none."""
        return self.file if self.target == target else None


def _ranges(module: GraphModule, samples: Sequence[tuple[torch.Tensor, ...]]) -> dict[str, Range]:
    import torch
    from torch.fx import Interpreter

    found: dict[str, Range] = {}

    class Watch(Interpreter):
        def run_node(self, n: Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
                seen = _range(value)
                found[n.name] = found[n.name].widen(seen) if n.name in found else seen
            return value

    with torch.inference_mode():
        for sample in samples:
            Watch(module).run(*sample)
    return found


def _range(value: torch.Tensor) -> Range:
    size = value.detach().abs()
    nonzero = int((size > 0).sum())
    vanishing = int(((size > 0) & (size < _SMALLEST_HALF)).sum())
    low, high = (float(each) for each in value.detach().aminmax())
    return Range(_finite(low), _finite(high), vanishing, nonzero)


def _finite(value: float) -> float:
    limit = float(np.finfo(np.float32).max)
    return max(-limit, min(limit, value)) if value == value else limit
