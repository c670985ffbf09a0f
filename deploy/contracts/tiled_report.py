"""What the evaluation of tiled detection writes: one artifact, always with and without tiles."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from deploy.contracts.accuracy import EvaluationData
from deploy.contracts.base import Contract, Document
from deploy.contracts.tiling import Tiling

RowName = Literal["full image", "sliced", "sliced + gate", "no merge"]


class TiledProtocol(Contract):
    """Everything that must be equal before two figures may stand in one table; ``digest()`` is its hash.

    ``confidence``: least score by class, in the order of ``classes``; ``floor``: least score of the boxes
    that average precision and the sweep see; ``iou``: least IoU of a match; ``ignore_area``: true objects
    below this share of the picture's area neither help nor harm; ``truth_sha256``: pictures and labels;
    ``metrics``: a version for every figure.
    """

    task: Literal["tiled_detection"] = "tiled_detection"
    tiling: Tiling
    classes: tuple[str, ...]
    confidence: tuple[float, ...]
    floor: float = Field(gt=0, lt=1)
    iou: float = Field(gt=0, le=1)
    ignore_area: float = Field(ge=0, lt=1)
    truth_sha256: str
    pictures: int
    metrics: dict[str, int]


class TiledFigure(Contract):
    """One figure with a bootstrap interval that draws whole clusters of pictures (a camera's hour, a clip);
    null where there is nothing to divide by. ``samples``: true objects that count."""

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    samples: int


class TiledSlice(Contract):
    """The same figures on a part: ``axis`` is ``class`` or ``size``."""

    axis: Literal["class", "size"]
    name: str
    figures: tuple[TiledFigure, ...]


class TiledRow(Contract):
    """One way of using the detector. ``causes``: false positives by cause; ``unanswered``: pictures that the
    gate left without an answer, which no figure of the row counts; ``over_full_image``: F1 minus that of the
    row without tiles, on the same pictures."""

    name: RowName
    figures: tuple[TiledFigure, ...]
    true_positives: int
    false_positives: int
    missed: int
    causes: dict[str, int]
    slices: tuple[TiledSlice, ...] = ()
    unanswered: int = 0
    over_full_image: TiledFigure | None = None

    def figure(self, metric: str) -> TiledFigure:
        """The figure of that name; raises ``KeyError``."""
        for each in self.figures:
            if each.metric == metric:
                return each
        raise KeyError(metric)


class SweepPoint(Contract):
    """One row at one confidence for all classes, from the same boxes: nothing was inferred again."""

    row: RowName
    confidence: float
    precision: float | None
    recall: float | None
    f1: float | None


class Candidate(Contract):
    """A detection where nothing is labelled, as sure as those that are right: look at the labels.

    ``box``: x1 y1 x2 y2 in pixels.
    """

    picture: str
    label: str
    score: float
    box: tuple[float, float, float, float]


class TiledReport(Document):
    """``tiled.json``. ``taints`` stand in front of the artifact's name: ``LEAKED`` where pictures of the
    evaluation were trained on and somebody allowed it, ``LEAKS-UNCHECKED`` where no training data was named.
    """

    KIND: ClassVar[str] = "tiled"

    document: Literal["tiled"] = "tiled"
    name: str
    target: str
    precision: str
    model_sha256: str
    taints: tuple[str, ...] = ()
    leaks: str | None = None
    protocol: TiledProtocol
    protocol_sha256: str
    data: EvaluationData
    clusters: int
    negatives: int
    rows: tuple[TiledRow, ...]
    sweep: tuple[SweepPoint, ...]
    candidates: tuple[Candidate, ...] = ()
    replicates: int
    seed: int
    toolchain: dict[str, str]

    @property
    def label(self) -> str:
        """How tables name the artifact: its taints first."""
        return " ".join((*self.taints, self.name, self.target, self.precision))

    def row(self, name: RowName) -> TiledRow:
        """One way of using the detector."""
        return next(each for each in self.rows if each.name == name)
