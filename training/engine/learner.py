"""What a run asks of whoever trains it: our loop, or a trainer of another house."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from training.engine.early_stopping import EarlyStopping


class Learner(Protocol):
    """``history``: one record an epoch, with ``epoch``, ``step`` and ``train_loss``; ``stopping``: which was
    best; ``best``: the state that goes into the checkpoint."""

    history: list[dict[str, Any]]
    stopping: EarlyStopping
    best: dict[str, Tensor]

    @property
    def step(self) -> int:
        """Steps done."""
        ...

    def run(self) -> None:
        """Train to the end, or on from where a killed run was saved."""
        ...

    def save(self) -> None:
        """Keep everything that is needed to go on."""
        ...
