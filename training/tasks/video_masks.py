"""Learn to answer a phrase on every frame of a clip, with a memory of the frame before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.distill.clip_check import check_clips
from training.distill.clips import Fate
from training.distill.prompted import PromptedTask
from training.distill.settings import VideoOptions
from training.settings import TrainSettings
from training.tasks.protocol import Batch


class VideoMasks(PromptedTask):
    """See ``training.tasks.protocol.Task``. Begin with an image run (``--set start=RUN``): the memory starts
    by changing nothing, so that the run's figures on single pictures are the first ones here."""

    primary = "quality"
    defaults: ClassVar[Mapping[str, Any]] = {
        "lr": 1e-3,
        "batch": 8,
        "size": 32,
        "epochs": 2,
        "patience": 0,
    }
    Options = VideoOptions

    def __init__(self, settings: TrainSettings) -> None:
        self._options = VideoOptions(**settings.options)
        super().__init__(settings, self._options)
        self.model_args |= {"memory": True}

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> Batch:
        """See ``PromptedBatches.clips``."""
        options = self._options
        shares: dict[Fate, float] = {"frozen": options.frozen, "vanish": options.vanish}
        return self._parts.batches.clips(indices, rng, part, options.frames, shares)

    def loss(self, module: nn.Module, batch: Batch, epoch: int) -> Tensor:
        """The mean over frames of the image task's loss; gradients flow through the memory."""
        doors: Any = module
        frames = batch["frames"]
        answers = doors.watch(frames, batch["ids"], batch["points"], batch["box"])
        shared = {"frames", "ids", "points", "box"}
        losses = [
            self._parts.objective(
                found, {name: value[number] for name, value in batch.items() if name not in shared}
            )
            for number, found in enumerate(answers)
        ]
        return torch.stack(losses).mean()

    def validate(self, module: nn.Module) -> dict[str, float]:
        """See ``training.distill.clip_check.check_clips``."""
        parts = self._parts
        return check_clips(module, parts.preprocess, parts.tokenizer, parts.validation)
