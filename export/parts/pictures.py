"""The pictures that a promptable run learnt on, as the export flow takes pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.contracts.checkpoint import Checkpoint
from deploy.store import sha256_bytes
from training.data.folders import open_folder
from training.data.prompted_shapes import SMALLEST_SIDE, PromptedShapes
from training.data.samples import Entry, EvaluationSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deploy.decode.predictions import Truth

GENERATED = "generated"
_COUNT = 256


def run_pictures(checkpoint: Checkpoint, part: str) -> EvaluationSet:
    """Pictures of the run's own data, unlabelled; of a folder all of them.

    Args:
        checkpoint: the run's.
        part: ``training`` or ``validation``, of the generated world.

    Raises:
        DeployError: what the folder's loader raises.
    """
    if checkpoint.data != GENERATED:
        return open_folder(Path(checkpoint.data), "tensors").without_truth()
    side = max(SMALLEST_SIDE, checkpoint.preprocess.height)
    world = PromptedShapes(_COUNT, checkpoint.seed, part=part, side=side)
    entries = [_entry(world, index) for index in range(_COUNT)]
    return EvaluationSet("world", entries, labelled=False)


def _entry(world: PromptedShapes, index: int) -> Entry:
    def read() -> tuple[NDArray[np.uint8], Truth | None]:
        return world.picture(index).image, None

    name = f"shapes-{index:06d}"
    return Entry(name, name, read, lambda: sha256_bytes(f"{world.sha256}:{index}".encode()))
