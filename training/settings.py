"""What a training run was asked to do: ``config.json`` in its folder, written before the first step."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from deploy.contracts.base import Contract, Document
from deploy.contracts.lineage import LineageStep


class Leg(Contract):
    """A stretch of epochs under one learning-rate schedule: the run itself, then every extension.

    ``start``: first epoch; ``epochs``: how many were planned; ``peak``: its highest rate as a share of the
    run's.
    """

    start: int = Field(ge=0)
    epochs: int = Field(gt=0)
    peak: float = Field(default=1.0, gt=0)


class TrainSettings(Document):
    """Everything that decides a run's result, together with the data.

    ``data``: a folder, or ``generated``; ``size``: side of the model's square input in pixels; ``ema``: decay
    of the averaged weights, 0 for none; ``clip``: largest norm of the gradient; ``patience``: epochs without
    ``min_delta`` of progress before stopping, 0 for never; ``threads``: part of the result, because sums are
    added in an order that depends on it; ``extensions``: legs after the first, in order; ``lineage``:
    what happened to the run; ``options``: what only this task has, see its ``Options``.
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
    extensions: tuple[Leg, ...] = ()
    lineage: tuple[LineageStep, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """All stretches; ``epochs`` is the first one's length."""
        return (Leg(start=0, epochs=self.epochs), *self.extensions)

    @property
    def end(self) -> int:
        """Epochs of the whole run."""
        return self.legs[-1].start + self.legs[-1].epochs

    def origin(self) -> str:
        """Hash of everything but extensions and lineage: what a saved state must have been saved under."""
        return self.model_copy(update={"extensions": (), "lineage": ()}).digest()
