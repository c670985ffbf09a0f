"""The full-image gate: tiles may only say what the whole picture hints at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tiling import Gate
from deploy.tiled.raw import RawDetections


def gated(answer: RawDetections, hints: RawDetections, gate: Gate) -> RawDetections | None:
    """The boxes of ``answer`` that stay; ``None`` where the picture has no answer (``skip`` without hints).

    Args:
        answer: merged boxes.
        hints: boxes found in the whole picture, of any confidence.
        gate: see the contract.
    """
    hints = hints.above(gate.confidence)
    if len(hints.boxes):
        return answer.take(np.flatnonzero(_hinted(answer, hints, gate.radius)))
    if gate.when_no_gate == "skip":
        return None
    return answer if gate.when_no_gate == "keep" else answer.take(np.zeros(0, np.intp))


def _hinted(answer: RawDetections, hints: RawDetections, radius: float) -> NDArray[np.bool_]:
    """Whether each box has a hint of its class near enough along both axes: bool (N,)."""
    reach = radius * (answer.boxes[:, 2:] - answer.boxes[:, :2]).max(axis=1, initial=0)
    apart = np.abs(_centres(answer)[:, None] - _centres(hints)[None]).max(axis=2)
    near = (apart <= reach[:, None]) & (answer.classes[:, None] == hints.classes[None])
    found: NDArray[np.bool_] = near.any(axis=1)
    return found


def _centres(found: RawDetections) -> NDArray[np.float32]:
    """Centres of boxes: float32 (N, 2) x y."""
    return (found.boxes[:, :2] + found.boxes[:, 2:]) * np.float32(0.5)
