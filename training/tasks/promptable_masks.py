"""Learn to answer prompts with masks, from the truth or from a teacher that is asked the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.distill.check import check
from training.distill.losses import alignment
from training.distill.prompted import PromptedTask
from training.distill.settings import PromptableOptions
from training.distill.student import ModuleAnswerer
from training.settings import TrainSettings
from training.tasks.protocol import Batch


class PromptableMasks(PromptedTask):
    """See ``training.tasks.protocol.Task``."""

    primary = "quality"
    defaults: ClassVar[Mapping[str, Any]] = {
        "lr": 2e-3,  # at 4e-3 a prototype's presence F1 fell from 0.98 to 0.70
        "batch": 16,
        "size": 32,
        "epochs": 9,
        "patience": 0,
    }
    Options = PromptableOptions

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings, PromptableOptions(**settings.options))

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> Batch:
        """See ``PromptedBatches.draw``."""
        return self._parts.batches.draw(indices, rng, part)

    def loss(self, module: nn.Module, batch: Batch, epoch: int) -> Tensor:
        """Alignment of features alone in the first ``align_epochs``; then masks, boxes, scores, presence."""
        doors: Any = module
        if epoch < self._parts.options.align_epochs:
            return alignment(doors.image(batch["image"]), batch["teacher_features"]).mean()
        found = module(batch["image"], batch["ids"], batch["points"], batch["box"])
        return self._parts.objective(found, batch)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """See ``training.distill.check.check``."""
        parts = self._parts
        student = ModuleAnswerer(module, parts.preprocess, parts.tokenizer, parts.kinds, "student")
        return check(student, parts.validation)
