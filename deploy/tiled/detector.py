"""A detector that looks at a picture tile by tile: any artifact, or any loaded runtime behind one."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import Exported
from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstancePrediction
from deploy.errors import DeployError
from deploy.runtimes import RUNTIMES
from deploy.tiled.finish import finish
from deploy.tiled.raw import RawDetections
from deploy.tiled.sight import BoxDecoder, Sight

if TYPE_CHECKING:
    from deploy.runtimes.protocol import Runtime


class TiledDetector:
    """An artifact over the tiles of pictures.

    Args:
        exported: the opened artifact of a detector.
        tiling: how pictures are cut; what the artifact declares when ``None``.
        confidence: the least score of a box; the artifact's own when ``None``.
        threads: threads of the runtime; more pictures at once serve better than more threads.
        runner: the class that runs the file; the target's own runtime when ``None``.

    Raises:
        DeployError: ``TILING-MISSING``, ``NOT-A-DETECTOR``, ``RUNTIME-MISSING``, ``MODEL-UNLOADABLE``.
    """

    def __init__(
        self,
        exported: Exported,
        tiling: Tiling | None = None,
        *,
        confidence: float | None = None,
        threads: int = 1,
        runner: type[Runtime] | None = None,
    ) -> None:
        artifact = exported.artifact
        spec = artifact.preprocess
        if spec is None:
            raise DeployError(
                "NOT-A-DETECTOR",
                f"{exported.folder} takes no pictures.",
                "Name a detector, or export it again with --preprocess FILE.",
            )
        self.tiling = declared_tiling(exported) if tiling is None else tiling
        self.confidence = getattr(artifact.decode, "confidence", 0.0) if confidence is None else confidence
        self._decoder = BoxDecoder(artifact.decode, spec, floor_of(self.tiling, self.confidence))
        kind = runner or RUNTIMES.open(artifact.target)
        reason = kind.why_not()
        if reason is not None:
            raise DeployError(
                "RUNTIME-MISSING", f"{reason}.", "Install it, or name another export of this model."
            )
        runtime = kind(exported.model, artifact.inputs, artifact.outputs, threads)
        self._sight = Sight(runtime.run, artifact.inputs, spec, self.tiling)

    def raw(self, image: NDArray[np.uint8], wanted: Container[int] | None = None) -> RawDetections:
        """Every box of every tile, and of the whole picture where the tiling looks at it.

        Args:
            image: uint8 (H, W, 3) RGB.
            wanted: numbers of the tiles to look at; all when ``None``.
        """
        return self._sight.look(image, [self._decoder], wanted)[0]

    def detect(self, image: NDArray[np.uint8]) -> InstancePrediction | None:
        """Merged and gated objects, best first; ``None`` where the gate says that there is no answer."""
        return finish(self.raw(image), self.tiling, self.confidence)


def floor_of(tiling: Tiling, confidence: float) -> float:
    """The least score that matters: the gate may listen to less than the answer says."""
    return confidence if tiling.gate is None else min(confidence, tiling.gate.confidence)


def declared_tiling(exported: Exported) -> Tiling:
    """The tiling in an artifact's preprocess block; raises ``TILING-MISSING`` where there is none."""
    spec = exported.artifact.preprocess
    if spec is None or spec.tiling is None:
        raise DeployError(
            "TILING-MISSING",
            f"{exported.folder} does not say how pictures are cut.",
            "Name the tiles with --tile 640x640, or export again with --tile 640x640.",
        )
    return spec.tiling
