"""A small foreground segmenter: a mobile backbone from timm and a light top-down decoder."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from deploy.errors import DeployError


class _Merge(nn.Module):
    """One step down the decoder: double the coarse map, add the finer one, mix with a separable 3x3."""

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
        try:
            pyramid: Any = timm.create_model(
                backbone, pretrained=False, features_only=True, out_indices=tuple(range(levels))
            )
        except (RuntimeError, AttributeError, IndexError, AssertionError) as error:
            raise DeployError(
                "UNKNOWN-BACKBONE",
                f"timm cannot build {backbone!r} as a feature pyramid ({error}).",
                "Choose one such as mobilenetv4_conv_small or mobilenetv3_small_100.",
            ) from error
        channels: list[int] = pyramid.feature_info.channels()
        self.backbone = pyramid
        self.top = nn.Conv2d(channels[-1], width, 1)
        self.merges = nn.ModuleList(_Merge(count, width) for count in reversed(channels[:-1]))
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
