"""Points and boxes as the arrays that a promptable model takes; one way for training, export and phones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.prompts.types import Prompt


def encode_places(prompts: Sequence[Prompt], points: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points float32 (N, points, 3) with label -1 where absent, and boxes float32 (N, 5) whose last number
    says whether there is one.

    Args:
        prompts: of any kind.
        points: points that one prompt may carry.

    Raises:
        DeployError: ``TOO-MANY-POINTS``.
    """
    spots = np.tile(np.asarray([0, 0, -1], np.float32), (len(prompts), points, 1))
    boxes = np.zeros((len(prompts), 5), np.float32)
    for number, prompt in enumerate(prompts):
        if prompt.points is not None:
            if len(prompt.points) > points:
                raise DeployError(
                    "TOO-MANY-POINTS",
                    f"A prompt has {len(prompt.points)} points, and this model reads {points}.",
                    "Give fewer points, or train with more: --set points=8",
                )
            spots[number, : len(prompt.points)] = prompt.points
        if prompt.box is not None:
            boxes[number] = (*prompt.box, 1)
    return spots, boxes
