"""Weights to begin with: of a finished run that was promised the same tokens, or of an image classifier."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deploy.contracts.prompts import PromptContract
from deploy.errors import DeployError
from training.checkpoints import load_checkpoint
from training.distill.settings import PromptableOptions
from training.models.promptable.image import timm_pyramid
from training.models.weights import load_state

HUB = "hub"


def begin(module: nn.Module, options: PromptableOptions, prompts: PromptContract) -> None:
    """Put the weights that the options name into a new model; raises what the two ways below raise."""
    if options.image_weights is not None:
        _begin_image(module, options.backbone, options.levels, options.image_weights)
    if options.start is not None:
        begin_with(module, Path(options.start), prompts)


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


def _begin_image(module: nn.Module, backbone: str, levels: int, weights: str) -> None:
    """Put a classifier's weights into the image encoder's timm backbone.

    Args:
        module: a ``Promptable`` whose image encoder was built from ``backbone`` and ``levels``.
        weights: ``hub`` for timm's own, or a file with the classifier's state dict under timm's names.

    Raises:
        DeployError: ``IMAGE-WEIGHTS``, and what ``load_state`` raises.
    """
    from safetensors.torch import save_file

    doors: Any = module
    try:
        if backbone == "small":
            raise RuntimeError("the small pyramid is no classifier")
        if weights == HUB:
            pyramid = timm_pyramid(backbone, levels, HUB)
        else:
            state = load_state(Path(weights))  # nothing in the file is run; timm then reads our own copy
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "weights.safetensors"
                save_file({name: tensor.contiguous() for name, tensor in state.items()}, copy)
                pyramid = timm_pyramid(backbone, levels, copy)
    except (RuntimeError, OSError, KeyError) as error:
        raise DeployError(
            "IMAGE-WEIGHTS",
            f"The image encoder {backbone} cannot begin with {weights}: {str(error).splitlines()[0]}.",
            "Name a file with the state dict of that timm model (timm: model.state_dict()), or leave "
            "image_weights out.",
        ) from error
    doors.image.backbone.load_state_dict(pyramid.state_dict())
