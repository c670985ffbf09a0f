"""What the tasks of prompted pictures and of prompted clips have in common as tasks."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from deploy.contracts.decode import TensorsDecode
from training.distill.parts import PromptedParts
from training.distill.settings import PromptableOptions
from training.distill.start import begin
from training.settings import TrainSettings


class PromptedTask:
    """The half of ``training.tasks.protocol.Task`` that both answer alike.

    Args:
        settings: of the run.
        options: of its task.
    """

    model = "promptable"
    extends = True
    trainer = None

    def __init__(self, settings: TrainSettings, options: PromptableOptions) -> None:
        self._parts = parts = PromptedParts(settings, options)
        self.preprocess, self.decode = parts.preprocess, TensorsDecode()
        self.model_args, self.prompts = parts.model_args, parts.prompts
        self.count, self.data_sha256, self.tally = parts.count, parts.data_sha256, parts.tally

    def begin(self, module: nn.Module) -> None:
        """Weights of an image classifier and of the run ``start``, where they are named; a memory keeps its
        own start."""
        begin(module, self._parts.options, self.prompts)

    def account(self, tally: Mapping[str, float]) -> dict[str, float]:
        """See ``PromptedParts.account``."""
        return self._parts.account(tally)
