"""The metric of one-mask models: region overlap and boundary accuracy, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import BinaryMaskDecode
from deploy.decode.predictions import MaskPrediction
from deploy.metrics.regions import region_and_boundary
from deploy.metrics.weighted import weighted_means

SMALL_BELOW = 32**2 / (640 * 480)
"""Share of the picture below which a true object is small: COCO's 32 x 32 pixels in 640 x 480 (0.33 %)."""

MEDIUM_BELOW = 96**2 / (640 * 480)
"""The share below which it is medium: COCO's 96 x 96 pixels in 640 x 480 (3 %); from there on, large."""


@dataclass(frozen=True)
class MaskObservation:
    """One sample: J, F (0..1, NaN outside a slice) and the true mask's share of the picture."""

    region: float
    boundary: float
    true_share: float


class BinaryMaskMetric:
    """Mean over samples of each sample's own figures.

    - ``mIoU``: intersection over union of the foreground (J); both masks empty counts as 1. It is the mean of
      per-sample IoUs, not the IoU of pixels summed over samples, so a small object weighs as much as a large.
    - ``boundary_F``: boundary F-measure at DAVIS-2017's tolerance; two masks without a boundary count as 1.
    - ``J&F``: the mean of the two.
    """

    names: tuple[str, ...] = ("mIoU", "boundary_F", "J&F")
    primary: str = "mIoU"

    @classmethod
    def for_decode(cls, decode: BinaryMaskDecode) -> Self:
        """The metric for predictions that ``decode`` describes."""
        return cls()

    def observe(self, prediction: MaskPrediction, truth: MaskPrediction) -> MaskObservation:
        """J and F of one sample; both masks are bool (H, W) of one size."""
        region, boundary = region_and_boundary(prediction.mask, truth.mask)
        return MaskObservation(region, boundary, float(truth.mask.mean()))

    def summarise(
        self, observations: Sequence[MaskObservation], weights: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Weighted means, float64 (R,) per name, from int64 weights (R, N)."""
        region = np.array([o.region for o in observations], np.float64)
        boundary = np.array([o.boundary for o in observations], np.float64)
        columns = (region, boundary, (region + boundary) / 2)
        return {
            name: weighted_means(column, weights) for name, column in zip(self.names, columns, strict=True)
        }

    def slices(
        self, observations: Sequence[MaskObservation]
    ) -> dict[str, dict[str, Sequence[MaskObservation]]]:
        """Axis ``size``: true masks that are empty (none), small, medium or large; unused names are left out.

        The limits are ``SMALL_BELOW`` (0.33 % of the picture) and ``MEDIUM_BELOW`` (3 %).
        """
        sizes = [_size_name(o.true_share) for o in observations]
        return {
            "size": {
                name: [
                    o if size == name else replace(o, region=math.nan, boundary=math.nan)
                    for o, size in zip(observations, sizes, strict=True)
                ]
                for name in ("none", "small", "medium", "large")
                if name in sizes
            }
        }


def _size_name(share: float) -> str:
    if share == 0:
        return "none"
    if share < SMALL_BELOW:
        return "small"
    return "medium" if share < MEDIUM_BELOW else "large"
