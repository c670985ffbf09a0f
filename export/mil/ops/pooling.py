"""Max, average and L2 pools over one to three spatial axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.padding import Pads, symmetric, torch_order, window_pads
from export.mil.ops.registry import op

Tensor = torch.Tensor

_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


@dataclass(frozen=True)
class _Window:
    """A pool's window, from its parameters."""

    kernel: list[int]
    strides: list[int]
    kind: str
    custom: list[int] | None
    ceil: bool

    @classmethod
    def of(cls, node: Node) -> _Window:
        kernel = node.required_integers("kernel_sizes")
        return cls(
            kernel,
            node.integers("strides") or [1] * len(kernel),
            node.text("pad_type", "valid"),
            node.integers("pad"),
            node.flag("ceil_mode"),
        )

    @property
    def axes(self) -> int:
        return len(self.kernel)

    @property
    def area(self) -> int:
        return math.prod(self.kernel)

    def pads(self, value: Tensor) -> tuple[Pads, Pads]:
        """The declared padding, and the same with what ``ceil_mode`` adds at the ends."""
        sizes = value.shape[2:]
        pads = window_pads(self.kind, sizes, self.kernel, self.strides, [1] * self.axes, self.custom)
        if not self.ceil:
            return pads, pads
        grown = list(pads)
        for i, (size, span, stride) in enumerate(zip(sizes, self.kernel, self.strides, strict=True)):
            low, high = pads[2 * i], pads[2 * i + 1]
            windows = -(-(size + low + high - span) // stride) + 1
            # No window may start in the end padding (coremltools' spatial_dimensions_out_shape).
            if low + high > 0 and (windows - 1) * stride >= size + (low + high) / 2:
                windows -= 1
            grown[2 * i + 1] += max(0, (windows - 1) * stride + span - (size + low + high))
        return pads, tuple(grown)


@op("max_pool", exact=True)
def _max_pool(node: Node) -> Kernel:
    window = _Window.of(node)
    pool, kernel, strides = _MAX[window.axes], window.kernel, window.strides

    def compute(x: Tensor) -> Tensor:
        _, pads = window.pads(x)
        even = symmetric(pads)
        if even is not None and all(2 * pad <= span for pad, span in zip(even, kernel, strict=True)):
            return pool(x, kernel, strides, even)
        return pool(F.pad(x, torch_order(pads), value=-math.inf), kernel, strides)

    return node.apply(compute, "x")


@op("avg_pool", fresh=True)
def _avg_pool(node: Node) -> Kernel:
    """Declared padding counts as zeros unless it is excluded; what ``ceil_mode`` adds never counts."""
    window, leave_out = _Window.of(node), node.flag("exclude_padding_from_average")
    pool, kernel, strides = _AVERAGE[window.axes], window.kernel, window.strides

    def compute(x: Tensor) -> Tensor:
        declared, pads = window.pads(x)
        even = symmetric(pads)
        if (
            pads == declared
            and even is not None
            and all(2 * pad <= span for pad, span in zip(even, kernel, strict=True))
        ):
            return pool(x, kernel, strides, even, False, not leave_out)
        total = pool(F.pad(x, torch_order(pads)), kernel, strides) * window.area
        ones = torch.ones(1, 1, *x.shape[2:])
        if not leave_out:
            ones = F.pad(ones, torch_order(declared), value=1.0)
        rest = pads if leave_out else tuple(a - b for a, b in zip(pads, declared, strict=True))
        return total / (pool(F.pad(ones, torch_order(rest)), kernel, strides) * window.area)

    return node.apply(compute, "x")


@op("l2_pool", fresh=True)
def _l2_pool(node: Node) -> Kernel:
    """Square root of the sum of squares in the window."""
    window = _Window.of(node)
    pool = _AVERAGE[window.axes]

    def compute(x: Tensor) -> Tensor:
        _, pads = window.pads(x)
        return torch.sqrt(pool(F.pad(x * x, torch_order(pads)), window.kernel, window.strides) * window.area)

    return node.apply(compute, "x")
