"""A timm backbone as a feature pyramid, from scratch."""

from __future__ import annotations

from typing import Any

import timm

from deploy.errors import DeployError


def open_pyramid(backbone: str, levels: tuple[int, ...]) -> Any:
    """The feature maps ``levels`` (0 has stride 2) of a timm model; its weights are random.

    Raises:
        DeployError: ``UNKNOWN-BACKBONE``.
    """
    try:
        return timm.create_model(backbone, pretrained=False, features_only=True, out_indices=levels)
    except (RuntimeError, AttributeError, IndexError, AssertionError) as error:
        raise DeployError(
            "UNKNOWN-BACKBONE",
            f"timm cannot build {backbone!r} as a feature pyramid ({error}).",
            "Choose one such as mobilenetv4_conv_small or mobilenetv3_small_100.",
        ) from error
