"""A small detector of our own for small objects: a heat map a class and one box a cell, at stride 4.

Its output is that of a YOLO head, so that everything behind it (decoding, mAP, int8 tools, phones) is shared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from training.models.merge import Merge
from training.models.pyramid import open_pyramid

STRIDE = 4
LEVELS = (1, 2, 3)
"""Feature maps at strides 4, 8 and 16."""

_GROWTH = 5.0
"""Sides lie within ``exp(+-5)`` cells: 0.03 to 594 pixels, in fp16 as well."""

_RARE = -4.6
"""A new model gives every cell a score of 0.01, as in RetinaNet: most cells show nothing."""


class Detector(nn.Module):
    """Centres and sizes of objects, after CenterNet (Zhou et al., Objects as Points, 2019).

    A head of three pixels is lost in the thin maps of a mobile backbone, so the finest map gets a second way
    from the picture, of dense convolutions. Scores and boxes leave the trunk by layers of their own, and only
    arithmetic follows: in 8 bits they share no scale.

    Args:
        classes: number of classes.
        backbone: a timm model that offers ``features_only``.
        width: channels of decoder and head.
    """

    def __init__(self, classes: int, backbone: str = "mobilenetv4_conv_small_050", width: int = 32) -> None:
        super().__init__()
        self.backbone = open_pyramid(backbone, LEVELS)
        channels: list[int] = self.backbone.feature_info.channels()
        self.top = nn.Conv2d(channels[-1], width, 1)
        self.merges = nn.ModuleList(Merge(count, width) for count in reversed(channels[:-1]))
        self.detail = nn.Sequential(
            _layer(3, width // 2, 2), _layer(width // 2, width, 2), _layer(width, width)
        )
        self.mix = nn.Sequential(_layer(width, width), _layer(width, width))
        self.scores = nn.Conv2d(width, classes, 1)
        self.boxes = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.scores.bias, _RARE)  # type: ignore[arg-type]

    def maps(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Float (N, 3, H, W), normalised, sides divisible by 16, to what the loss reads.

        Returns:
            Score logits, float (N, classes, H/4, W/4), and boxes, float (N, 4, H/4, W/4): cx cy w h in input
            pixels.
        """
        features = self.backbone(image)
        merged = torch.relu(self.top(features[-1]))
        for merge, fine in zip(self.merges, reversed(features[:-1]), strict=True):
            merged = merge(merged, fine)
        mixed = self.mix(merged + self.detail(image))
        return self.scores(mixed), self._placed(self.boxes(mixed))

    def forward(self, image: Tensor) -> Tensor:
        """Float (N, 3, H, W) to a YOLO head, float (N, 4 + classes, H/4 * W/4), scores in 0..1."""
        logits, boxes = self.maps(image)
        return torch.cat([boxes.flatten(2), logits.sigmoid().flatten(2)], dim=1)

    @staticmethod
    def _placed(raw: Tensor) -> Tensor:
        """Offsets and log sizes in cells, (N, 4, h, w), to boxes in input pixels."""
        rows = torch.arange(raw.shape[2], dtype=raw.dtype, device=raw.device) + 0.5
        columns = torch.arange(raw.shape[3], dtype=raw.dtype, device=raw.device) + 0.5
        x = (raw[:, 0:1] + columns.reshape(1, 1, 1, -1)) * STRIDE
        y = (raw[:, 1:2] + rows.reshape(1, 1, -1, 1)) * STRIDE
        sides = torch.exp(raw[:, 2:4].clamp(-_GROWTH, _GROWTH)) * STRIDE
        return torch.cat([x, y, sides], dim=1)


def _layer(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    """A dense 3x3 convolution with its normalisation."""
    conv = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())


def build(**arguments: Any) -> nn.Module:
    """Build the detector from a checkpoint's ``model_args``."""
    return Detector(**arguments)
