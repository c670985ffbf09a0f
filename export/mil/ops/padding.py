"""Padding amounts of windows (convolutions and pools), and their order in torch."""

from __future__ import annotations

from collections.abc import Sequence

Pads = tuple[int, ...]
"""Begin and end of every spatial axis in turn: ``(top, bottom, left, right)`` for two."""


def window_pads(
    kind: str,
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    custom: Sequence[int] | None,
) -> Pads:
    """Padding of a window over spatial ``sizes``.

    ``same`` makes the output ``ceil(size / stride)`` long and puts an odd element at the end, ``same_lower``
    at the beginning (coremltools' ``aggregated_pad``).

    Raises:
        ValueError: a kind that MIL does not have.
    """
    if kind == "valid":
        return (0,) * (2 * len(kernel))
    if kind == "custom":
        return tuple(custom or (0,) * (2 * len(kernel)))
    if kind not in ("same", "same_lower"):
        raise ValueError(f"unknown pad_type {kind!r}")
    pads: list[int] = []
    for size, span, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (span - 1) * dilation + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        low = total // 2
        pads += [total - low, low] if kind == "same_lower" else [low, total - low]
    return tuple(pads)


def torch_order(pads: Sequence[int]) -> list[int]:
    """``F.pad`` wants the last axis first."""
    return [amount for axis in range(len(pads) - 2, -1, -2) for amount in pads[axis : axis + 2]]


def symmetric(pads: Sequence[int]) -> list[int] | None:
    """One amount an axis when both ends are padded alike; otherwise ``None``."""
    return list(pads[::2]) if pads[::2] == pads[1::2] else None
