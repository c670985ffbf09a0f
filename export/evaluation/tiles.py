"""The tiles that an artifact declares, looked at once and decoded twice: for an app and for the metric."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import Artifact
from deploy.contracts.decode import Decode
from deploy.decode.predictions import InstancePrediction
from deploy.tiled.detector import floor_of
from deploy.tiled.finish import finish
from deploy.tiled.raw import RawDetections
from deploy.tiled.sight import BoxDecoder, Sight
from export.evaluation.subject import Arrays


class DeclaredTiles:
    """A file over the tiles of pictures, as ``deploy.tiled.detector`` does it for an app.

    Args:
        run: one inference.
        artifact: whose preprocess block declares a tiling.
        judged: the decode block that the metric needs; the artifact's own where there is no metric.
    """

    def __init__(self, run: Callable[[Arrays], Arrays], artifact: Artifact, judged: Decode) -> None:
        spec = artifact.preprocess
        assert spec is not None
        assert spec.tiling is not None
        self._tiling = spec.tiling
        self._confidences = [getattr(block, "confidence", 0.0) for block in (artifact.decode, judged)]
        self._decoders = [BoxDecoder(artifact.decode, spec, floor_of(self._tiling, self._confidences[0]))]
        if judged != artifact.decode:
            self._decoders.append(BoxDecoder(judged, spec))
        self._sight = Sight(run, artifact.inputs, spec, self._tiling)

    def see(self, image: NDArray[np.uint8]) -> tuple[InstancePrediction, InstancePrediction]:
        """What an app gets, and what the metric is shown; a picture without an answer has no objects.

        Args:
            image: uint8 (H, W, 3) RGB.
        """
        raws = self._sight.look(image, self._decoders)
        app = self._finish(raws[0], self._confidences[0])
        return app, app if len(raws) == 1 else self._finish(raws[1], self._confidences[1])

    def _finish(self, raw: RawDetections, confidence: float) -> InstancePrediction:
        found = finish(raw, self._tiling, confidence)
        if found is not None:
            return found
        nothing = raw.take(np.zeros(0, np.intp))
        return InstancePrediction(nothing.boxes, nothing.scores, nothing.classes)
