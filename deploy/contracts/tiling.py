"""How a picture is cut into tiles and how their boxes become one answer; phones read the same block."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploy.contracts.base import Contract


class Merge(Contract):
    """How boxes of overlapping tiles become one, as sahi names it.

    ``kind``: ``nms`` drops the worse box, ``greedy_nmm`` joins it to the better one, ``nmm`` joins chains of
    boxes, ``none`` keeps every box. ``metric``: ``iou``, or ``ios`` (intersection over the smaller box).
    ``class_agnostic`` lets boxes of different classes meet.
    """

    kind: Literal["nms", "nmm", "greedy_nmm", "none"] = "greedy_nmm"
    metric: Literal["iou", "ios"] = "ios"
    threshold: float = Field(default=0.5, gt=0, le=1)
    class_agnostic: bool = False


class Gate(Contract):
    """Tiles may only say what the whole picture hints at.

    A merged box stays where a box of the same class, found in the whole picture with at least ``confidence``,
    has its centre, along both axes, within ``radius`` times the longer side of the merged box.
    ``when_no_gate`` says what a picture without any such hint gives: ``drop`` all boxes, ``keep`` all, or
    ``skip`` the picture, which then has no answer.
    """

    radius: float = Field(default=1.0, gt=0)
    confidence: float = Field(default=0.05, gt=0, lt=1)
    when_no_gate: Literal["drop", "keep", "skip"] = "drop"


class Tiling(Contract):
    """Tiles of ``width`` x ``height`` picture pixels that overlap by at least the share ``overlap``.

    The last tile of a row or column is moved back inside the picture, never padded; a picture smaller than a
    tile is one tile. ``full_image`` adds the boxes of the whole picture, one more input, to those of the
    tiles. ``gate`` looks at the whole picture in any case; its boxes are then hints, and part of the answer
    only with ``full_image``.
    """

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    overlap: float = Field(default=0.2, ge=0, lt=1)
    full_image: bool = False
    merge: Merge = Merge()
    gate: Gate | None = None
