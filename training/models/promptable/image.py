"""The image encoder: a picture in, one map of features out, asked once for any number of prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from deploy.errors import DeployError
from training.models.promptable.layers import ConvNorm


class _Pyramid(nn.Module):
    """Three small stages of stride 2, 4 and 8 for pictures of a few dozen pixels."""

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        stem, first, second, third = widths
        self.stem = ConvNorm(3, stem)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(ConvNorm(stem, first, stride=2), ConvNorm(first, first)),
                nn.Sequential(ConvNorm(first, second, stride=2)),
                nn.Sequential(ConvNorm(second, third, stride=2)),
            ]
        )
        self.channels = [first, second, third]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Float (N, 3, H, W) to maps of stride 2, 4 and 8."""
        maps, levels = self.stem(image), []
        for stage in self.stages:
            maps = stage(maps)
            levels.append(maps)
        return levels


class ImageEncoder(nn.Module):
    """A pyramid and a top-down merge to its finest level (Lin et al., FPN, 2017).

    Args:
        backbone: ``small``, or ``timm:NAME`` for a timm model that offers ``features_only``.
        widths: channels of the small pyramid; unused by timm backbones.
        width: channels of the features.
        levels: maps of a timm backbone, finest first; 0 takes them all.
    """

    def __init__(self, backbone: str, widths: tuple[int, int, int, int], width: int, levels: int = 0) -> None:
        super().__init__()
        pyramid: Any = _Pyramid(widths) if backbone == "small" else timm_pyramid(backbone, levels)
        channels: list[int] = pyramid.channels if backbone == "small" else pyramid.feature_info.channels()
        self.backbone = pyramid
        self.stride: int = 2 if backbone == "small" else pyramid.feature_info.reduction()[0]
        self.laterals = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.mixes = nn.ModuleList(ConvNorm(width, width, groups=width) for _ in channels[:-1])
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Float (N, 3, H, W), normalised, to features, float (N, D, H / stride, W / stride)."""
        levels = self.backbone(image)
        merged = self.laterals[-1](levels[-1])
        steps = zip(reversed(self.laterals[:-1]), reversed(self.mixes), reversed(levels[:-1]), strict=True)
        for lateral, mix, level in steps:
            raised = functional.interpolate(merged, scale_factor=2.0, mode="bilinear", align_corners=False)
            merged = mix(raised + lateral(level))
        return self.out(torch.relu(merged))  # type: ignore[no-any-return]


def timm_pyramid(backbone: str, levels: int, weights: Path | str | None = None) -> Any:
    """A timm backbone as a feature pyramid.

    Args:
        backbone: ``timm:NAME``.
        levels: maps, finest first; 0 for all.
        weights: a safetensors file of the whole classifier under timm's names, or ``hub`` to download them.

    Raises:
        DeployError: ``UNKNOWN-BACKBONE``.
    """
    import timm

    kind, _, name = backbone.partition(":")
    if kind != "timm" or not name:
        raise DeployError(
            "UNKNOWN-BACKBONE",
            f"There is no image encoder called {backbone!r}.",
            "Choose small, or timm:NAME such as timm:repvit_m1 or timm:mobilenetv4_conv_small.",
        )
    chosen: dict[str, Any] = {}
    if levels:  # the getter drops the layers behind the last map; timm's default keeps them
        chosen = {"out_indices": tuple(range(levels)), "feature_cls": "getter"}
    if weights is not None:
        chosen["pretrained"] = True
    if isinstance(weights, Path):
        chosen["pretrained_cfg_overlay"] = {"file": str(weights)}
    try:
        return timm.create_model(name, features_only=True, **chosen)
    except (RuntimeError, AttributeError, IndexError, AssertionError) as error:
        if weights is not None:
            raise  # it was built without them before: they are what does not fit
        raise DeployError(
            "UNKNOWN-BACKBONE",
            f"timm cannot build {name!r} as a feature pyramid ({error}).",
            "Choose one such as timm:repvit_m1 or timm:mobilenetv4_conv_small, and levels that it has.",
        ) from error
