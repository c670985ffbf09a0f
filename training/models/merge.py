"""One step down a light decoder, shared by the small models of our own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Merge(nn.Module):
    """Double the coarse map, add the finer one, mix with a separable 3x3."""

    def __init__(self, fine_channels: int, width: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(fine_channels, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.mixed_norm = nn.BatchNorm2d(width)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Float (N, D, h, w) and (N, C, 2h, 2w) to float (N, D, 2h, 2w)."""
        raised = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        merged = torch.relu(raised + self.norm(self.lateral(fine)))
        return torch.relu(self.mixed_norm(self.pointwise(self.depthwise(merged))))
