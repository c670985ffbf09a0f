"""Settings of tiled detection: ``--set NAME=VALUE``, kept in ``config.json`` under ``options``."""

from __future__ import annotations

from pydantic import Field

from deploy.contracts.base import Contract
from deploy.contracts.tiling import Merge, Tiling
from training.data.slicing.cut import MIN_VISIBLE

_MERGE = Merge(kind="nms", metric="ios", threshold=0.5)
"""The better box stays as it is: joined boxes of small objects grow, and then meet their neighbours. A piece
of an object at a tile's edge lies inside the whole one, which IoU does not see and IoS does."""


class TiledOptions(Contract):
    """What a tiled run was asked to do, beyond what every run is asked.

    ``detector``: ``own``, or ``ultralytics:FILE`` (a ``.yaml`` of the installed version, or a ``.pt``);
    ``tile``: side of a tile in picture pixels, ``None`` for that of the input, 0 for whole pictures;
    ``overlap``: share of a tile that its neighbour shows too; ``min_visible``: share of an object that a tile
    must show for it to count there, else it is ignored; ``empty``: empty tiles, as a share of the others.

    ``mirror``, ``zoom`` (tiles are enlarged or reduced by up to this factor) and ``crop_paste`` (share of
    tiles with pasted objects) are augmentations of the own detector; ``backbone`` and ``width`` its size.
    ``yolo``: parameters of ultralytics, ``multi_scale=0.3,close_mosaic=2``; each is proved or refused.
    """

    detector: str = "own"
    tile: int | None = Field(default=None, ge=0)
    overlap: float = Field(default=0.2, ge=0, lt=1)
    min_visible: float = Field(default=MIN_VISIBLE, gt=0, le=1)
    empty: float = Field(default=0.15, ge=0, le=1)

    mirror: bool = True
    zoom: float = Field(default=1.25, ge=1, le=4)
    crop_paste: float = Field(default=0.5, ge=0, le=1)
    backbone: str = "mobilenetv4_conv_small_050"
    width: int = Field(default=32, gt=0)
    yolo: tuple[str, ...] = ()

    def tiling(self, size: int) -> Tiling | None:
        """The tiles of a run whose input has ``size`` pixels a side; ``None`` for whole pictures."""
        side = size if self.tile is None else self.tile
        return Tiling(width=side, height=side, overlap=self.overlap, merge=_MERGE) if side else None
