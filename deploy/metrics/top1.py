"""The metric of classifiers: how often the true class is the best score, or among the best five."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import ClassifyDecode
from deploy.decode.predictions import ClassPrediction, ClassTruth
from deploy.errors import DeployError
from deploy.metrics.weighted import weighted_means

_TOP = 5


@dataclass(frozen=True)
class ClassObservation:
    """One sample: its true class, how many classes score better (0 is a hit), and how many classes there are.

    ``rank`` is ``None`` outside a slice.
    """

    label: int
    rank: int | None
    classes: int


class Top1Metric:
    """Share of samples whose true class is ranked first (``top1``) or in the first five (``top5``).

    ``top5`` is there only for more than five classes; where the decode block names no classes it is there
    and NaN for five or fewer. Classes that tie with the true one count as better when their index is lower,
    which is what an argmax or a stable sort does.

    Args:
        class_names: names in index order, or ``None`` when unknown.
    """

    primary: str = "top1"

    def __init__(self, class_names: Sequence[str] | None = None) -> None:
        self.class_names = None if class_names is None else tuple(class_names)
        few = self.class_names is not None and len(self.class_names) <= _TOP
        self.names: tuple[str, ...] = ("top1",) if few else ("top1", "top5")

    @classmethod
    def for_decode(cls, decode: ClassifyDecode) -> Self:
        """The metric for predictions that ``decode`` describes."""
        return cls(decode.class_names)

    def observe(self, prediction: ClassPrediction, truth: ClassTruth) -> ClassObservation:
        """Rank of the true class among float32 (C,) scores.

        Raises:
            DeployError: ``LABEL-OUT-OF-RANGE`` when the true class is not one of the C.
        """
        scores = prediction.scores
        if not 0 <= truth.label < len(scores):
            raise DeployError(
                "LABEL-OUT-OF-RANGE",
                f"A sample's true class has index {truth.label}, but the model has {len(scores)} classes.",
                "Check that the dataset's class list is the one the model was trained on.",
            )
        own = scores[truth.label]
        rank = int(np.count_nonzero(scores > own)) + int(np.count_nonzero(scores[: truth.label] == own))
        if np.isnan(own):
            rank = len(scores)
        return ClassObservation(truth.label, rank, len(scores))

    def summarise(
        self, observations: Sequence[ClassObservation], weights: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Weighted hit rates, float64 (R,) per name, from int64 weights (R, N)."""
        figures = {"top1": weighted_means(_hits(observations, 1), weights)}
        if "top5" in self.names:
            enough = any(o.classes > _TOP for o in observations)
            figures["top5"] = (
                weighted_means(_hits(observations, _TOP), weights)
                if enough
                else np.full(len(weights), np.nan)
            )
        return figures

    def slices(
        self, observations: Sequence[ClassObservation]
    ) -> dict[str, dict[str, Sequence[ClassObservation]]]:
        """Axis ``class``: the samples of each true class that occurs, by name (or index where unnamed)."""
        return {
            "class": {
                self._name(label): [
                    o if o.label == label else ClassObservation(o.label, None, o.classes)
                    for o in observations
                ]
                for label in sorted({o.label for o in observations})
            }
        }

    def _name(self, label: int) -> str:
        return str(label) if self.class_names is None else self.class_names[label]


def _hits(observations: Sequence[ClassObservation], best: int) -> NDArray[np.float64]:
    """1 where the true class is among the ``best``, 0 otherwise, NaN outside a slice; float64 (N,)."""
    return np.array([np.nan if o.rank is None else float(o.rank < best) for o in observations], np.float64)
