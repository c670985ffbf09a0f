"""A small foreground segmenter: a mobile backbone from timm and a light top-down decoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.models.merge import Merge
from training.models.pyramid import open_pyramid


class Segmenter(nn.Module):
    """Picture to one map of foreground logits at half its size.

    Only convolutions, ReLU, addition and bilinear doubling: every target has them, and values stay small
    enough for fp16.

    Args:
        backbone: a timm model that offers ``features_only``.
        levels: how many of its feature maps are used, from stride 2 on (4 reach stride 16).
        width: channels of the decoder.
    """

    def __init__(
        self, backbone: str = "mobilenetv4_conv_small_050", levels: int = 4, width: int = 24
    ) -> None:
        super().__init__()
        pyramid = open_pyramid(backbone, tuple(range(levels)))
        channels: list[int] = pyramid.feature_info.channels()
        self.backbone = pyramid
        self.top = nn.Conv2d(channels[-1], width, 1)
        self.merges = nn.ModuleList(Merge(count, width) for count in reversed(channels[:-1]))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Float (N, 3, H, W), normalised, sides divisible by 16, to logits, float (N, 1, H/2, W/2)."""
        features = self.backbone(image)
        merged = torch.relu(self.top(features[-1]))
        for merge, fine in zip(self.merges, reversed(features[:-1]), strict=True):
            merged = merge(merged, fine)
        return self.head(merged)  # type: ignore[no-any-return]


def build(**arguments: Any) -> nn.Module:
    """Build the segmenter from a checkpoint's ``model_args``."""
    return Segmenter(**arguments)
