"""The declared way from a decoded 8-bit picture to a model's input; never retyped anywhere else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from deploy.contracts.base import Contract
from deploy.contracts.tiling import Tiling


class Preprocess(Contract):
    """Resize, colour order and normalisation of one image input.

    The steps, in order: resize to ``height`` x ``width`` as ``resize`` says; reorder channels to ``color``;
    ``(pixel / divisor - mean) / std`` per channel; lay out as 1 x C x H x W float32.

    ``input_kind`` says who normalises: with ``tensor`` the caller does; with ``image`` the model file takes
    the resized 8-bit picture and normalises inside (Core ML image inputs).

    Resize modes: ``stretch`` ignores the aspect ratio; ``letterbox`` keeps it and pads both sides with
    ``pad_value``; ``shortest_crop`` scales the shorter side to ``floor(size / crop_fraction)`` and cuts the
    centre (timm's evaluation transform); ``none`` demands pictures of exactly the right size.

    With ``tiling`` a picture is cut first: every tile goes through these steps as if it were a picture.
    """

    input_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    resize: Literal["stretch", "letterbox", "shortest_crop", "none"] = "stretch"
    crop_fraction: float = Field(default=1.0, gt=0, le=1)
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    antialias: bool = False
    pad_value: int = Field(default=114, ge=0, le=255)
    color: Literal["RGB", "BGR", "GRAY"] = "RGB"
    divisor: float = Field(default=255.0, gt=0)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    input_kind: Literal["tensor", "image"] = "tensor"
    tiling: Tiling | None = None

    @property
    def channels(self) -> int:
        """1 for GRAY, else 3."""
        return 1 if self.color == "GRAY" else 3

    @model_validator(mode="after")
    def _channels_agree(self) -> Preprocess:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values for {self.color}")
        if any(value <= 0 for value in self.std):
            raise ValueError("std must be positive")
        return self
