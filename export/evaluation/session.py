"""One loaded file over pictures: prepared, run, decoded as an app would, and observed by the metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.decode import DECODERS
from deploy.errors import DeployError
from deploy.metrics import METRICS
from deploy.vision.preprocess import prepare
from export.evaluation.compact import Compact, pack
from export.evaluation.judging import for_judging
from export.evaluation.subject import Arrays, Subject
from export.evaluation.tiles import DeclaredTiles
from export.runners import runner_for
from training.data.samples import EvaluationSample

if TYPE_CHECKING:
    from deploy.decode.predictions import Prediction
    from deploy.runtimes.protocol import Runtime


class Session:
    """A subject in its runtime.

    Args:
        labelled: whether the samples carry truth, so that there is something for the metric to observe.

    Raises:
        DeployError: ``NO-PICTURE-INPUT`` for a model that does not say how pictures go in, and the runtime's
            ``MODEL-UNLOADABLE``.
    """

    def __init__(self, subject: Subject, threads: int, *, labelled: bool) -> None:
        artifact = subject.exported.artifact
        if artifact.preprocess is None:
            raise DeployError(
                "NO-PICTURE-INPUT",
                f"{artifact.name} does not say how a picture becomes its input, so pictures cannot be "
                "evaluated.",
                "Export it again with --preprocess FILE.",
            )
        self._preprocess, self._doors = artifact.preprocess, subject.doors
        self._runtime = _load(subject, threads)
        self._decoder = DECODERS.open(artifact.decode.kind)(artifact.decode, artifact.preprocess)
        judged = for_judging(artifact.decode)
        self._judge = self._decoder
        if judged != artifact.decode:
            self._judge = DECODERS.open(judged.kind)(judged, artifact.preprocess)
        self._metric: Any = None
        if labelled:
            self._metric = METRICS.open(artifact.decode.kind).for_decode(judged)  # type: ignore[attr-defined]
        self._tiles: DeclaredTiles | None = None
        if artifact.preprocess.tiling is not None:
            self._tiles = DeclaredTiles(self._run, artifact, judged if labelled else artifact.decode)

    def see(self, sample: EvaluationSample) -> tuple[Any, Compact]:
        """The metric's observation (``None`` without labels) and the prediction that an app would get."""
        prediction: Prediction
        seen: Prediction
        if self._tiles is not None:
            prediction, seen = self._tiles.see(sample.image)
        else:
            tensor, geometry = prepare(sample.image, self._preprocess)
            outputs = self._run({self._preprocess.input_name: tensor})
            prediction = seen = self._decoder.decode(outputs, geometry)
            if self._metric is not None and self._judge is not self._decoder:
                seen = self._judge.decode(outputs, geometry)
        if self._metric is None:
            return None, pack(prediction)
        return self._metric.observe(seen, sample.truth), pack(prediction)

    def _run(self, inputs: Arrays) -> Arrays:
        """One inference through the file's own doors."""
        return self._doors.outward(self._runtime.run(self._doors.inward(inputs)))


def _load(subject: Subject, threads: int) -> Runtime:
    """The subject in its runtime; whatever its runner has against the file is this file's failure alone."""
    artifact = subject.exported.artifact
    runner, _ = runner_for(artifact.target, artifact.deployment)
    try:
        return runner(subject.exported.model, artifact.inputs, artifact.outputs, threads)
    except DeployError as error:
        raise DeployError("MODEL-UNLOADABLE", error.summary, error.remedy) from error
