"""A YOLO detector from its layout, in export form: how checkpoints of ultralytics' trainer come back."""

from __future__ import annotations

from typing import Any

from torch import nn

from deploy.errors import DeployError
from training.models.ultralytics_yolo.offline import demand_ultralytics, settle


def build(layout: dict[str, Any], classes: int) -> nn.Module:
    """The fused fp32 detector, with random weights.

    Args:
        layout: ``model.yaml`` of ultralytics, plain JSON types.
        classes: number of classes.

    Raises:
        DeployError: ``EXTRA-MISSING``; ``CHECKPOINT-UNSAFE`` for a layout that names an activation, which
            ultralytics runs as code.
    """
    demand_ultralytics("This checkpoint holds an ultralytics model")
    if "activation" in layout:
        raise DeployError(
            "CHECKPOINT-UNSAFE",
            f"The layout of this YOLO names an activation ({layout['activation']!r}), which ultralytics "
            "would run as code; nothing was run.",
            "Train it again from a layout without an activation of its own.",
        )
    settle()
    from ultralytics.nn.tasks import DetectionModel

    made: Any = DetectionModel(cfg=layout, ch=3, nc=classes, verbose=False)  # type: ignore[no-untyped-call]
    made = made.eval().fuse(verbose=False)
    made.model[-1].export = True
    return made  # type: ignore[no-any-return]
