"""Door plate of the models: a checkpoint's ``model`` to the function that builds it from ``model_args``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

MODELS: DoorPlate[Callable[..., nn.Module]] = DoorPlate(
    "model",
    {
        "detector": "training.models.detector:build",
        "ultralytics": "training.models.ultralytics_yolo.build:build",
        "segmenter": "training.models.segmenter:build",
        "promptable": "training.models.promptable.model:build",
    },
)
