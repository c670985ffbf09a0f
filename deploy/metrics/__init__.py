"""Door plate of the metrics: a decoder's kind to the metric family that judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.metrics.protocol import Metric

METRICS: DoorPlate[Callable[..., Metric]] = DoorPlate(
    "metric",
    {
        "binary_mask": "deploy.metrics.binary_mask:BinaryMaskMetric",
        "classify": "deploy.metrics.top1:Top1Metric",
        "yolo": "deploy.metrics.detection:DetectionMetric",
    },
)
