"""Training and validation sides of whatever a mask run learns from."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError
from training.data.folders import open_folder
from training.data.generated import generated_set
from training.data.samples import EvaluationSet
from training.data.split import split_groups

GENERATED = "generated"

_TRAIN_CLIPS, _TRAIN_FRAMES = 160, 4
"""Many short clips teach more than few long ones: neighbouring frames are nearly the same picture."""

_VALIDATION_CLIPS, _VALIDATION_FRAMES = 24, 4


def mask_sides(data: str, seed: int) -> tuple[EvaluationSet, EvaluationSet]:
    """The training and the validation set; validation clips are neither trained on nor used to judge.

    Args:
        data: ``generated``, or a folder of pictures with masks.

    Raises:
        DeployError: ``DATA-UNLABELLED``, ``SPLIT-EMPTY``, and what the folder's loader raises.
    """
    if data == GENERATED:
        return (
            generated_set(_TRAIN_CLIPS, _TRAIN_FRAMES, seed, part="training"),
            generated_set(_VALIDATION_CLIPS, _VALIDATION_FRAMES, seed, part="validation"),
        )
    return split_folder(
        Path(data), "binary_mask", seed, "masks", "images/ and masks/, or as JPEGImages/ and Annotations/"
    )


def split_folder(
    folder: Path, kind: str, seed: int, labels: str, layout: str
) -> tuple[EvaluationSet, EvaluationSet]:
    """Both sides of the user's own folder; no group is on both.

    Args:
        kind: of the decode block that the labels must serve.
        labels: what they are called, in the message about a folder without.
        layout: how such a folder is laid out.

    Raises:
        DeployError: ``DATA-UNLABELLED``, ``SPLIT-EMPTY``, and what the folder's loader raises.
    """
    found = open_folder(folder, kind)
    if not found.labelled:
        raise DeployError(
            "DATA-UNLABELLED",
            f"{folder} holds {len(found)} pictures and no {labels}.",
            f"Lay the data out as {layout}.",
        )
    training, validation = split_groups(found.groups, seed)
    return found.subset(training), found.subset(validation)
