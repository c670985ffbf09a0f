"""From the boxes of all tiles to the answer: confidence, merge, gate. Cheap, and may be asked many times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstancePrediction
from deploy.tiled.gate import gated
from deploy.tiled.merge import merge
from deploy.tiled.raw import RawDetections


def finish(
    raw: RawDetections, tiling: Tiling, confidence: float | NDArray[np.float32]
) -> InstancePrediction | None:
    """The objects of one picture, best score first; ``None`` where the gate says that there is no answer.

    Without a gate every given box has its say. With one, boxes of the whole picture are its hints, and part
    of the answer only where ``full_image`` says so.

    Args:
        raw: boxes in tile order; what lies below ``confidence`` serves the gate alone.
        tiling: how boxes are merged and gated (its tiles play no part here).
        confidence: the least score of an object, or one for every class, float32 (classes,).
    """
    said = raw if tiling.gate is None or tiling.full_image else raw.sliced()
    answer: RawDetections | None = merge(said.above(confidence), tiling.merge)
    assert answer is not None
    if tiling.gate is not None:
        answer = gated(answer, raw.full(), tiling.gate)
    if answer is None:
        return None
    answer = answer.take(np.argsort(-answer.scores, kind="stable"))
    return InstancePrediction(answer.boxes, answer.scores, answer.classes)
