"""Layers that the parts share: only operations that every target has, with values that stay small in fp16."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """3x3 (or other) convolution, batch norm (folded away by export) and ReLU."""

    def __init__(self, inside: int, outside: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outside)

    def forward(self, maps: Tensor) -> Tensor:
        """Float (N, C, H, W) to float (N, C', H / stride, W / stride)."""
        return torch.relu(self.norm(self.conv(maps)))


class Mlp(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.rise = nn.Linear(inside, hidden)
        self.fall = nn.Linear(hidden, outside)

    def forward(self, values: Tensor) -> Tensor:
        """Float (..., inside) to float (..., outside)."""
        return self.fall(torch.relu(self.rise(values)))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) spelled out, because targets differ in the fused one.

    Scores are divided before the product, so that fp16 sums stay small.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.share = heads, width // heads
        self.ask = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, asking: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
        """Float (N, A, D) asks float (N, B, D); ``bias``: float (N, 1, 1, B), added to the scores."""
        ask = self._split(self.ask(asking)) * (1 / math.sqrt(self.share))
        scores = torch.matmul(ask, self._split(self.key(keys)).transpose(2, 3))
        if bias is not None:
            scores = scores + bias
        mixed = torch.matmul(scores.softmax(dim=-1), self._split(self.value(values)))
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, values: Tensor) -> Tensor:
        """Float (N, A, D) to float (N, heads, A, D / heads)."""
        count, length = values.shape[:2]
        return values.reshape(count, length, self.heads, self.share).transpose(1, 2)


def rates(width: int) -> Tensor:
    """The frequencies of ``fourier`` for ``width`` channels: float (width / 4,), half a turn to three turns
    over the picture. The largest argument stays below 19, where fp16 still resolves 1/64."""
    return math.pi * torch.linspace(0.5, 6.0, width // 4)


def fourier(places: Tensor, frequencies: Tensor) -> Tensor:
    """Sines and cosines of coordinates (Tancik et al. 2020, with even frequencies for random ones): float
    (..., 2) in 0..1 to float (..., 4 * frequencies)."""
    angles = places[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def grid(height: int, width: int, channels: int) -> Tensor:
    """The Fourier features of every cell's centre: float (1, height * width, channels)."""
    rows, columns = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij"
    )
    places = fourier(torch.stack([columns, rows], dim=-1), rates(channels))
    return places.reshape(1, height * width, channels)
