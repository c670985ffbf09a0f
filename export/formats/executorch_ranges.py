"""What observed ranges become before they are scales: answers are not cut, and SiLU's flat side is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.calibration.choose import Ranges
from export.formats.executorch_plan import Plan

FLAT_BELOW = -8.0
"""SiLU of anything lower lies between -0.0027 and 0, so that steps spent there are lost. Convolutions of YOLO
reach -25 there and 15 above: without it, two thirds of the steps."""


class Extremes:
    """The lowest and highest value ever seen of some tensors."""

    def __init__(self) -> None:
        self.ranges: Ranges = {}

    def add(self, name: str, values: NDArray[np.float32]) -> None:
        """Take in one tensor of one sample."""
        if values.size == 0:
            return
        low, high = self.ranges.get(name, (np.inf, -np.inf))
        self.ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))


def settled(plan: Plan, ranges: Ranges, extremes: Ranges) -> Ranges:
    """The ranges to quantize with.

    A detector's class logits are positive for one value in 10,000, the very ones that make a detection: of
    YOLOv8n-seg's, the 99.99 % percentile cut every score at 0.5. So answers keep the extremes that were seen.

    Args:
        ranges: what a way of calibrating found, of every value in ``plan.groups``.
        extremes: lowest and highest value of ``plan.answers``.
    """
    found = dict(ranges)
    for name in plan.gated:
        low, high = found[name]
        found[name] = (max(low, FLAT_BELOW), high)
    for name in plan.answers:
        low, high = extremes[name]
        found[name] = (min(low, 0.0), max(high, 0.0))
    return found
