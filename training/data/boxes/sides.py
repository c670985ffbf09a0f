"""Training and validation pictures of whatever a detector learns from, split before anything is cut."""

from __future__ import annotations

from pathlib import Path

from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from training.data.cctv.generated import cctv_set
from training.data.samples import EvaluationSet
from training.data.sides import GENERATED, split_folder

_TRAIN_VISITS, _TRAIN_FRAMES = 120, 2
"""Many short visits teach more than few long ones: the scenery is the same, the people are not."""

_LAYOUT = "images/ and labels/ with one text file a picture, and data.yaml"

_VALIDATION_VISITS, _VALIDATION_FRAMES = 24, 1


def box_sides(data: str, seed: int) -> tuple[EvaluationSet, EvaluationSet]:
    """The training and the validation set of whole pictures; no group (camera and time) is on both sides.

    Args:
        data: ``generated``, or a folder of pictures with boxes or polygons.

    Raises:
        DeployError: ``DATA-UNLABELLED``, ``SPLIT-EMPTY``, and what the folder's loader raises.
    """
    if data == GENERATED:
        return (
            cctv_set("training", _TRAIN_VISITS, _TRAIN_FRAMES, seed),
            cctv_set("validation", _VALIDATION_VISITS, _VALIDATION_FRAMES, seed),
        )
    return split_folder(Path(data), "yolo", seed, "boxes", _LAYOUT)


def boxes_of(sample_id: str, truth: object) -> InstanceTruth:
    """The boxes of a sample alone, without masks; raises ``DATA-UNLABELLED`` where it has none."""
    if not isinstance(truth, InstanceTruth):
        raise DeployError(
            "DATA-UNLABELLED",
            f"{sample_id} has no boxes, and a detector cannot learn without.",
            f"Lay the data out as {_LAYOUT}.",
        )
    return InstanceTruth(truth.size, truth.boxes, truth.classes, None, truth.ignore)
