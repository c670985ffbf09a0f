"""The metric's drop of a simulated mix, on labelled pictures or against fp32's own predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.decode import DECODERS
from deploy.decode.predictions import (
    ClassPrediction,
    ClassTruth,
    InstancePrediction,
    InstanceTruth,
    MaskPrediction,
    Prediction,
    Truth,
)
from deploy.metrics import METRICS
from deploy.statistics.bootstrap import interval, whole_and_drawn
from deploy.vision.geometry import Geometry
from deploy.vision.preprocess import prepare
from export.calibration.divergence import divergence
from export.evaluation.judging import figure_name, for_judging
from training.data.samples import EvaluationSample

Outputs = dict[str, NDArray[Any]]

_REPLICATES = 200


@dataclass(frozen=True)
class Drop:
    """A drop and the upper end of its 95 % interval over pictures (paired bootstrap)."""

    value: float
    high: float


class Judge:
    """Pictures, their truth and the reference's figures on them.

    Where a picture has no label for the task, what fp32 predicts stands in for the truth of all: the drop is
    then an upper bound, since every change counts against the file, also one for the better.

    Args:
        samples: pictures that neither ranked layers nor gave ranges.
        metric: a figure's name, or ``None`` for the task's primary one.
        run: the fp32 program.
        seed: of the bootstrap.
    """

    def __init__(
        self,
        samples: Sequence[EvaluationSample],
        decode: Decode,
        preprocess: Preprocess,
        metric: str | None,
        run: Callable[[dict[str, NDArray[np.float32]]], Outputs],
        seed: int,
    ) -> None:
        self._decode = decode
        self._decoder = DECODERS.open(decode.kind)(decode, preprocess)
        judged = for_judging(decode)
        self._judge = DECODERS.open(judged.kind)(judged, preprocess)
        self._metric: Any = METRICS.open(decode.kind).for_decode(judged)  # type: ignore[attr-defined]
        self.metric = self._figure(metric)
        placed = [prepare(sample.image, preprocess) for sample in samples]
        self.inputs = [{preprocess.input_name: tensor} for tensor, _ in placed]
        self._geometry = [geometry for _, geometry in placed]
        self._references = [run(sample) for sample in self.inputs]
        labelled = all(sample.truth is not None for sample in samples)
        self.truth: Literal["labels", "reference"] = "labels" if labelled else "reference"
        self._truths = [
            sample.truth if labelled else _as_truth(self._decoder.decode(outputs, geometry), sample.image)
            for sample, outputs, geometry in zip(samples, self._references, self._geometry, strict=True)
        ]
        self._weights = whole_and_drawn(len(self.inputs), _REPLICATES, seed)
        self._best = self._scores(self._references)

    def drop(self, outputs: Sequence[Outputs]) -> Drop:
        """How much lower the metric is than fp32's, and how much lower it may be."""
        drops = self._best - self._scores(outputs)
        return Drop(float(drops[0]), max(float(drops[0]), interval(drops[1:]).high))

    def divergence(self, outputs: Sequence[Outputs]) -> float:
        """The task's distance from fp32, see ``export.calibration.divergence``."""
        return divergence(self._decode, self._references, outputs)

    def _scores(self, outputs: Sequence[Outputs]) -> NDArray[np.float64]:
        """The metric on the pictures as they are, and under each set of bootstrap weights."""
        seen = [
            self._metric.observe(self._decoded(each, geometry), truth)
            for each, geometry, truth in zip(outputs, self._geometry, self._truths, strict=True)
        ]
        scores: NDArray[np.float64] = np.nan_to_num(self._metric.summarise(seen, self._weights)[self.metric])
        return scores

    def _decoded(self, outputs: Outputs, geometry: Geometry) -> Prediction:
        return self._judge.decode(outputs, geometry)  # type: ignore[no-any-return]

    def _figure(self, asked: str | None) -> str:
        """A figure by its name, or by a short one such as ``map`` for the task's primary."""
        return figure_name(self._metric, None if asked in ("map", "miou", "metric") else asked)


def _as_truth(prediction: Any, image: NDArray[np.uint8]) -> Truth:
    """A confident prediction as if it were a label."""
    if isinstance(prediction, ClassPrediction):
        return ClassTruth(int(prediction.scores.argmax()))
    if isinstance(prediction, InstancePrediction):
        size = (image.shape[0], image.shape[1])
        return InstanceTruth(size, prediction.boxes, prediction.classes, prediction.masks)
    assert isinstance(prediction, MaskPrediction)
    return prediction
