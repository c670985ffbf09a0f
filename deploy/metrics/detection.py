"""The metric of detectors and instance segmenters: COCO's mean average precision of boxes and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import YoloDecode
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.metrics.coco_average import average_precisions
from deploy.metrics.coco_match import Overlap, match
from deploy.metrics.coco_records import AREA_RANGES, DetectionRecord, record


class DetectionMetric:
    """COCO mean average precision, equal to pycocotools, re-weighted without matching again.

    - ``box_mAP50-95``: mean over IoU 0.50, 0.55 .. 0.95 and over classes with a true object; at most 100
      detections a class and picture; ``box_mAP50``: at IoU 0.50 alone.
    - ``mask_mAP50-95`` and ``mask_mAP50``: the same with mask IoU, where ``masks`` is set. They are NaN as
      soon as one picture of the set has true objects without masks: scoring only the others would silently
      be another dataset. Box figures stay.

    Args:
        class_names: names in index order.
        masks: whether predictions have masks that shall be scored.
    """

    primary: str = "box_mAP50-95"

    def __init__(self, class_names: Sequence[str], masks: bool) -> None:
        self.class_names = tuple(class_names)
        self.masks = masks
        self.names: tuple[str, ...] = ("box_mAP50-95", "box_mAP50")
        if masks:
            self.names += ("mask_mAP50-95", "mask_mAP50")

    @classmethod
    def for_decode(cls, decode: YoloDecode) -> Self:
        """The metric for predictions that ``decode`` describes."""
        return cls(decode.class_names, masks=decode.protos is not None)

    def observe(self, prediction: InstancePrediction, truth: InstanceTruth) -> DetectionRecord:
        """One picture's boxes and run-length masks; raises ``LABEL-OUT-OF-RANGE`` or ``MASKS-MISSING``."""
        return record(prediction, truth, len(self.class_names), self.masks)

    def summarise(
        self, observations: Sequence[DetectionRecord], weights: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Figures under picture weights, float64 (R,) per name, from int64 weights (R, N).

        A weight of k gives the figure of the dataset that holds the picture k times.
        """
        figures = self._figures("box", "bbox", observations, weights)
        if not self.masks:
            return figures
        if any(o.truth.masks is None for o in observations):
            nothing = np.full(len(weights), np.nan)
            return {**figures, "mask_mAP50-95": nothing, "mask_mAP50": nothing}
        return {**figures, **self._figures("mask", "segm", observations, weights)}

    def slices(
        self, observations: Sequence[DetectionRecord]
    ) -> dict[str, dict[str, Sequence[DetectionRecord]]]:
        """Axes ``size`` (COCO's small, medium, large) and ``class``; a slice needs a true object."""
        areas = np.concatenate([np.zeros(0), *(o.truth.areas() for o in observations)])
        labels = np.concatenate([np.zeros(0, np.int64), *(o.truth.classes for o in observations)])
        return {
            "size": {
                name: [o.of_area(name) for o in observations]
                for name, (low, high) in AREA_RANGES.items()
                if name != "all" and ((areas >= low) & (areas <= high)).any()
            },
            "class": {
                self.class_names[label]: [o.of_class(label) for o in observations]
                for label in np.unique(labels).tolist()
            },
        }

    @staticmethod
    def _figures(
        prefix: str, overlap: Overlap, observations: Sequence[DetectionRecord], weights: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        precisions = average_precisions(match(observations, overlap), weights)
        return {f"{prefix}_mAP50-95": precisions.mean(axis=0), f"{prefix}_mAP50": precisions[0]}
