"""What a training run was asked to do: ``config.json`` in its folder, written before the first step."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from deploy.contracts.base import Document


class TrainSettings(Document):
    """Everything that decides a run's result, together with the data.

    ``data``: a folder, or ``generated``; ``size``: side of the model's square input in pixels; ``ema``: decay
    of the averaged weights, 0 for none; ``clip``: largest norm of the gradient; ``patience``: epochs without
    ``min_delta`` of progress before stopping, 0 for never; ``threads``: part of the result, because sums are
    added in an order that depends on it.
    """

    KIND: ClassVar[str] = "train-settings"

    document: Literal["train-settings"] = "train-settings"
    task: str
    data: str
    seed: int = Field(default=0, ge=0)
    epochs: int = Field(gt=0)
    batch: int = Field(default=8, gt=0)
    lr: float = Field(default=4e-3, gt=0)
    size: int = Field(default=128, gt=0)
    patience: int = Field(default=6, ge=0)
    min_delta: float = Field(default=1e-3, ge=0)
    ema: float = Field(default=0.98, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    threads: int = Field(default=1, gt=0)
