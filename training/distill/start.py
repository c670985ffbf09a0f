"""Weights to begin with: those of a finished run that was promised the same tokens."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from deploy.contracts.prompts import PromptContract
from deploy.errors import DeployError
from training.checkpoints import load_checkpoint


@torch.no_grad()
def begin_with(module: nn.Module, folder: Path, prompts: PromptContract) -> None:
    """Copy a run's weights into a new model; parts that the run does not have keep their own start.

    Raises:
        DeployError: ``START-MISMATCH`` for another tokenizer, picture or shape, and what ``load_checkpoint``
            raises.
    """
    checkpoint, other = load_checkpoint(folder)
    kept = checkpoint.prompts
    theirs = other.state_dict()
    mine = module.state_dict()
    same = kept is not None and (kept.student, kept.mean, kept.std) == (
        prompts.student,
        prompts.mean,
        prompts.std,
    )
    strange = [name for name, value in theirs.items() if name not in mine or mine[name].shape != value.shape]
    if not same or strange:
        what = f"its {strange[0]} does not fit" if strange else "its tokenizer or its picture is another"
        raise DeployError(
            "START-MISMATCH",
            f"{folder} is no start for this model: {what}.",
            "Train with the settings of that run (its config.json has them), or leave start out.",
        )
    for name, value in theirs.items():
        mine[name].copy_(value)
