"""A finished promptable run, opened for export: its model, its contract and its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.checkpoint import Checkpoint
from deploy.contracts.prompts import PromptContract
from deploy.errors import DeployError
from deploy.prompts.encode import encode_places
from deploy.prompts.types import Prompt
from training.checkpoints import load_checkpoint, read_checkpoint
from training.text import open_tokenizer
from training.text.protocol import Tokenizer

if TYPE_CHECKING:
    from torch import nn

Encoded = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class PromptableRun:
    """``module`` is fp32, on the CPU, in evaluation mode."""

    folder: Path
    checkpoint: Checkpoint
    contract: PromptContract
    module: nn.Module

    @property
    def phrases(self) -> tuple[str, ...]:
        """The contract's phrases and, last, the neutral one."""
        return (*self.contract.phrases, self.contract.neutral)

    def ids(self, phrases: Sequence[str]) -> NDArray[np.int32]:
        """Token ids, int32 (N, L): the integers that every target takes."""
        return self._tokenizer.encode(list(phrases)).astype(np.int32)

    def encode(self, prompts: Sequence[Prompt]) -> Encoded:
        """As the parts take prompts: ids int32 (N, L), points float32 (N, K, 3), boxes float32 (N, 5)."""
        points, boxes = encode_places(prompts, self.contract.points)
        return self.ids([prompt.text for prompt in prompts]), points, boxes

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return open_tokenizer(self.contract.student.id, list(self.phrases))


def contract_of(folder: Path) -> PromptContract:
    """What a run promises, without importing torch.

    Raises:
        DeployError: ``CHECKPOINT-KIND`` for a run without prompts, and what ``read_checkpoint`` raises.
    """
    checkpoint = read_checkpoint(folder)
    if checkpoint.prompts is None:
        raise DeployError(
            "CHECKPOINT-KIND",
            f"{folder} holds a {checkpoint.task} model, which answers no prompts and has no such parts.",
            f"Export it whole: deploy export {folder} --target all",
        )
    return checkpoint.prompts


def open_run(folder: Path) -> PromptableRun:
    """Load a run; its tokenizer is held against the contract.

    Raises:
        DeployError: what ``contract_of`` and ``training.models.promptable.answerer.open_student`` raise.
    """
    from training.models.promptable.answerer import open_student

    contract = contract_of(folder)
    open_student(folder)
    checkpoint, module = load_checkpoint(folder)
    return PromptableRun(folder, checkpoint, contract, module)
