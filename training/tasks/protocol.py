"""The socket of a task: everything the loop has to ask about what is being learned."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from training.settings import TrainSettings

Batch = dict[str, Tensor]


class Task(Protocol):
    """Data, model, loss and validation of one kind of learning.

    ``primary`` names the figure of ``validate`` that picks the best epoch (higher is better); ``model`` is a
    name on the door plate of ``training.models`` and ``model_args`` rebuild it; ``count`` is the number of
    training samples.
    """

    primary: str
    model: str
    model_args: dict[str, Any]
    preprocess: Preprocess
    decode: Decode
    count: int
    data_sha256: str

    def __init__(self, settings: TrainSettings) -> None:
        """Open and read the data; no weights are made yet."""
        ...

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """The augmented samples ``indices`` (int64 (B,)); all randomness comes from ``rng``."""
        ...

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """The scalar to be made smaller."""
        ...

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Figures on held-out data; ``module`` is in evaluation mode."""
        ...
