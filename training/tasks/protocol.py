"""The socket of a task: everything the loop has to ask about what is being learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.contracts.base import Contract
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.prompts import PromptContract
from training.engine.learner import Learner
from training.settings import TrainSettings

Batch = dict[str, Tensor]


class Task(Protocol):
    """Data, model, loss and validation of one kind of learning.

    ``primary`` names the figure of ``validate`` that picks the best epoch (higher is better); ``model`` is a
    name on the door plate of ``training.models`` and ``model_args`` rebuild it; ``count`` is the number of
    training samples; ``defaults`` are settings that differ from ``TrainSettings``; ``Options`` are the
    settings that only this task has, ``None`` for none; ``extends`` says whether a finished run keeps its
    last state, so that more epochs can follow; ``prompts`` is what a promptable model was promised;
    ``tally`` sums what batches and losses counted since the last epoch ended: the loop saves it and empties
    it; ``trainer`` learns in place of the loop, with the arguments of ``training.engine.loop.Trainer``,
    ``None`` for the loop itself.
    """

    primary: str
    defaults: ClassVar[Mapping[str, Any]]
    Options: ClassVar[type[Contract] | None]
    extends: ClassVar[bool]
    model: str
    model_args: dict[str, Any]
    preprocess: Preprocess
    decode: Decode
    count: int
    data_sha256: str
    prompts: PromptContract | None
    tally: dict[str, float]
    trainer: Callable[..., Learner] | None

    def __init__(self, settings: TrainSettings) -> None:
        """Open and read the data; no weights are made yet."""
        ...

    def begin(self, module: nn.Module) -> None:
        """Put other weights into a new model than the seed gave it, where the settings say so."""
        ...

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> Batch:
        """The samples ``part`` of the batch ``indices`` (int64 (B,)), augmented; all randomness comes from
        ``rng``, and a sample is the same whichever part is asked for."""
        ...

    def loss(self, module: nn.Module, batch: Batch, epoch: int) -> Tensor:
        """The scalar to be made smaller: a mean over samples, so that the mean over equal parts of a batch is
        the batch's own."""
        ...

    def account(self, tally: Mapping[str, float]) -> dict[str, float]:
        """Figures of an epoch from what was counted in it, by name; raises what must not go on."""
        ...

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Figures on held-out data; ``module`` is in evaluation mode."""
        ...
