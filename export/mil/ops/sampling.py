"""Pictures read at arbitrary coordinates: ``resample`` and ``affine``."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op

Tensor = torch.Tensor

_COORDINATES = ("unnormalized", "normalized_minus_one_to_one", "normalized_zero_to_one")
_PADDINGS = ("constant", "border", "replication", "reflection", "symmetric")


class _Sampler:
    """The constant parameters that ``resample`` and ``affine`` share."""

    def __init__(self, node: Node) -> None:
        self._nearest = node.text("sampling_mode", "bilinear") == "nearest"
        self._padding = node.text("padding_mode", "constant")
        self._fill = node.number("padding_value", 0.0)
        self._coordinates = node.text("coordinates_mode", "normalized_minus_one_to_one")
        self._align = node.flag("align_corners")
        if self._padding not in _PADDINGS:
            raise node.unknown("padding_mode", self._padding)
        if self._coordinates not in _COORDINATES:
            raise node.unknown("coordinates_mode", self._coordinates)

    @property
    def align(self) -> bool:
        """Whether the outermost coordinates are the centres of the outermost pixels."""
        return self._align

    def read(self, x: Tensor, coordinates: Tensor) -> Tensor:
        """(B, C, H, W) read at (B, h, w, 2) coordinates, x before y: (B, C, h, w)."""
        wide = coordinates.to(torch.float32)
        columns = self._pixels(wide[..., 0], x.shape[-1])
        rows = self._pixels(wide[..., 1], x.shape[-2])
        if self._nearest:
            return self._at(x, torch.round(rows), torch.round(columns))
        top, left = rows.floor(), columns.floor()
        down, right = (rows - top)[:, None], (columns - left)[:, None]
        upper = self._at(x, top, left) * (1 - right) + self._at(x, top, left + 1) * right
        lower = self._at(x, top + 1, left) * (1 - right) + self._at(x, top + 1, left + 1) * right
        return upper * (1 - down) + lower * down

    def _pixels(self, value: Tensor, size: int) -> Tensor:
        """Coordinates in pixels, 0 the centre of the first; mirrored or clamped where padding says so."""
        if self._coordinates != "unnormalized":
            share = value if self._coordinates == "normalized_zero_to_one" else (value + 1) / 2
            value = share * (size - 1) if self._align else share * size - 0.5
        if self._padding == "reflection":
            value = _mirror(value, 0.0, size - 1.0)
        elif self._padding == "symmetric":
            value = _mirror(value, -0.5, size - 0.5)
        return value if self._padding == "constant" else value.clamp(0, size - 1)

    def _at(self, x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Pixels at whole positions; outside the picture the padding value."""
        batch, channels, height, width = x.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        flat = rows.clamp(0, height - 1).long() * width + columns.clamp(0, width - 1).long()
        places = flat.reshape(batch, 1, -1).expand(-1, channels, -1)
        found = torch.gather(x.reshape(batch, channels, -1), 2, places)
        found = found.reshape(batch, channels, *rows.shape[1:])
        return torch.where(inside[:, None], found, torch.full((), self._fill))


@op("resample", fresh=True)
def _resample(node: Node) -> Kernel:
    return node.apply(_Sampler(node).read, "x", "coordinates")


@op("affine", fresh=True)
def _affine(node: Node) -> Kernel:
    """Output (x, y) in -1..1 shows the input at ``(a0 x + a1 y + a2, b0 x + b1 y + b2)``."""
    sampler = _Sampler(node)
    height, width = node.integer("output_height"), node.integer("output_width")

    def compute(x: Tensor, matrix: Tensor) -> Tensor:
        columns, rows = _axis(width, sampler.align), _axis(height, sampler.align)
        points = torch.stack([columns.expand(height, -1), rows[:, None].expand(-1, width)], -1)
        points = torch.cat([points, torch.ones(height, width, 1)], -1)
        maps = matrix.reshape(-1, 2, 3).expand(x.shape[0], -1, -1)
        return sampler.read(x, torch.einsum("hwk,bjk->bhwj", points, maps))

    return node.apply(compute, "x", "transform_matrix")


def _axis(count: int, align: bool) -> Tensor:
    """Output positions from -1 to 1: pixel centres at the ends, or pixel edges."""
    if align:
        return torch.linspace(-1, 1, count) if count > 1 else torch.zeros(1)
    return (torch.arange(count, dtype=torch.float32) * 2 + 1) / count - 1


def _mirror(value: Tensor, low: float, high: float) -> Tensor:
    """Reflect positions at both ends until they lie between them."""
    span = high - low
    if span <= 0:
        return torch.zeros_like(value)
    offset = (value - low).abs()
    turns = torch.floor(offset / span)
    rest = offset - turns * span
    return torch.where(turns % 2 == 0, rest, span - rest) + low
