"""The declared way from a model's raw outputs to a prediction; the same block drives desktop and phones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploy.contracts.base import Contract


class BinaryMaskDecode(Contract):
    """One-channel logits (1 x 1 x h x w) to one foreground mask: bilinear to picture size, then threshold."""

    kind: Literal["binary_mask"] = "binary_mask"
    output: str
    threshold: float = Field(default=0.5, gt=0, lt=1)


class ClassifyDecode(Contract):
    """Logits (1 x C) to class scores (softmax)."""

    kind: Literal["classify"] = "classify"
    output: str
    class_names: tuple[str, ...] | None = None


class YoloDecode(Contract):
    """YOLO head, 1 x (4 + classes + coefficients) x anchors; boxes cx cy w h in input pixels, scores 0..1.

    ``protos`` (1 x coefficients x h x w) names the prototype masks of a segmentation head, or is ``None``.
    ``multi_label`` lets one box carry several classes, which is how mAP is measured (apps take the best one).
    ``nms`` says who suppresses: the ``app``, after the model, or the ``graph`` itself. The output of such a
    graph is 1 x detections x 6: x1 y1 x2 y2 in input pixels, score, class, best first; a row of zeros is no
    detection.
    """

    kind: Literal["yolo"] = "yolo"
    output: str
    protos: str | None = None
    class_names: tuple[str, ...]
    mask_coefficients: int = 0
    confidence: float = Field(default=0.25, ge=0, le=1)
    iou: float = Field(default=0.7, gt=0, le=1)
    max_detections: int = Field(default=300, gt=0)
    multi_label: bool = False
    nms: Literal["app", "graph"] = "app"


class TensorsDecode(Contract):
    """Nothing is known about the outputs: only tensors can be compared."""

    kind: Literal["tensors"] = "tensors"


Decode = Annotated[
    BinaryMaskDecode | ClassifyDecode | YoloDecode | TensorsDecode, Field(discriminator="kind")
]
