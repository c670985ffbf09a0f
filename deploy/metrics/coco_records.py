"""What detection scoring keeps of one picture: boxes, classes, scores and run-length masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.errors import DeployError

Rle = dict[str, Any]
"""A COCO run-length mask: ``{"size": [h, w], "counts": bytes}``."""

AREA_RANGES: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""Object sizes in square pixels of the picture, as COCO defines them (pycocotools ``Params.areaRng``)."""

SIDE_RANGES: dict[str, tuple[float, float]] = {
    "under 8 px": (0.0, 8.0),
    "8-16 px": (8.0, 16.0),
    "16-32 px": (16.0, 32.0),
    "32-96 px": (32.0, 96.0),
    "from 96 px": (96.0, 1e5),
}
"""Finer sizes for small objects, by the square root of the area in pixels: AI-TOD's edges (Wang et al., 2020)
below COCO's."""

RANGES = AREA_RANGES | {name: (low**2, high**2) for name, (low, high) in SIDE_RANGES.items()}
"""Every size that a record can be narrowed to, in square pixels."""


@dataclass(frozen=True)
class Objects:
    """M objects of one picture.

    ``boxes``: float64 (M, 4), x y w h in pixels; ``classes``: int64 (M,); ``masks``: M run-length masks, or
    ``None`` where there are none; ``ignore``: bool (M,), COCO's crowds, or ``None`` where there are none.
    """

    boxes: NDArray[np.float64]
    classes: NDArray[np.int64]
    masks: tuple[Rle, ...] | None
    ignore: NDArray[np.bool_] | None = None

    def of_class(self, index: int) -> Objects:
        """Only the objects of one class."""
        kept = np.flatnonzero(self.classes == index)
        masks = None if self.masks is None else tuple(self.masks[i] for i in kept)
        ignore = None if self.ignore is None else self.ignore[kept]
        return Objects(self.boxes[kept], self.classes[kept], masks, ignore)

    def crowds(self) -> NDArray[np.bool_]:
        """Bool (M,): the objects that are ignored."""
        return np.zeros(len(self.classes), np.bool_) if self.ignore is None else self.ignore

    def areas(self) -> NDArray[np.float64]:
        """Square pixels of each object: of its mask where there is one, else of its box; float64 (M,)."""
        if self.masks is None:
            return self.boxes[:, 2] * self.boxes[:, 3]
        from hotcoco import mask as masks

        return np.array([masks.area(rle) for rle in self.masks], np.float64)


@dataclass(frozen=True)
class DetectionRecord:
    """One picture's truth and predictions; ``scores`` is float64 (D,), one for each predicted object.

    ``area`` names the entry of ``RANGES`` that counts; objects outside it neither help nor harm.
    """

    size: tuple[int, int]
    truth: Objects
    predicted: Objects
    scores: NDArray[np.float64]
    area: str = "all"

    def of_class(self, index: int) -> DetectionRecord:
        """The record narrowed to one class."""
        kept = self.predicted.classes == index
        return replace(
            self,
            truth=self.truth.of_class(index),
            predicted=self.predicted.of_class(index),
            scores=self.scores[kept],
        )

    def of_area(self, name: str) -> DetectionRecord:
        """The record narrowed to objects of one size."""
        return replace(self, area=name)


def record(
    prediction: InstancePrediction, truth: InstanceTruth, classes: int, masks: bool
) -> DetectionRecord:
    """Reduce one picture.

    Args:
        prediction: detected objects.
        truth: true objects.
        classes: number of classes the metric knows.
        masks: whether masks are scored; where they are not, the truth's are still kept for object sizes.

    Raises:
        DeployError: ``LABEL-OUT-OF-RANGE`` for a class index the metric does not know, ``MASKS-MISSING``
            when masks are scored and the prediction has none.
    """
    for what, indices in (("true", truth.classes), ("predicted", prediction.classes)):
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < classes:
            wrong = int(indices.max() if indices.max() >= classes else indices.min())
            raise DeployError(
                "LABEL-OUT-OF-RANGE",
                f"A {what} object has class index {wrong}, but the model has {classes} classes.",
                "Check that the dataset's class list is the one the model was trained on.",
            )
    if masks and prediction.masks is None and len(prediction.classes):
        raise DeployError(
            "MASKS-MISSING",
            "Mask figures were asked for, but the predictions hold boxes only.",
            "Export the segmentation head too, or score boxes only.",
        )
    return DetectionRecord(
        size=truth.size,
        truth=replace(_objects(truth.boxes, truth.classes, truth.masks), ignore=truth.ignore),
        predicted=_objects(prediction.boxes, prediction.classes, prediction.masks if masks else None),
        scores=prediction.scores.astype(np.float64),
    )


def _objects(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], masks: NDArray[np.bool_] | None
) -> Objects:
    corners = boxes.astype(np.float64).reshape(-1, 4)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    if len(classes) == 0:
        return Objects(sides, np.zeros(0, np.int64), ())
    return Objects(sides, classes.astype(np.int64), None if masks is None else _encode(masks))


def _encode(masks: NDArray[np.bool_]) -> tuple[Rle, ...]:
    from hotcoco import mask as codec

    return tuple(codec.encode(np.asfortranarray(mask)) for mask in masks)
