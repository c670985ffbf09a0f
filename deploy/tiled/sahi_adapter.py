"""Our artifacts as a model of sahi (extra ``tiles``), for those whose scripts call its functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sahi.models.base import DetectionModel
from sahi.prediction import ObjectPrediction

from deploy.artifacts import check_bytes, open_artifact
from deploy.decode.predictions import InstancePrediction
from deploy.errors import DeployError
from deploy.runtimes import RUNTIMES
from deploy.tiled.sight import BoxDecoder
from deploy.vision.preprocess import prepare


class ArtifactDetectionModel(DetectionModel):  # type: ignore[misc, unused-ignore]
    """A detector's artifact folder behind ``sahi.predict.get_sliced_prediction`` and its like.

    ``ArtifactDetectionModel(model_path="artifacts/helmets-onnx-fp32", confidence_threshold=0.25)``. What the
    artifact declares about tiles is not asked: sahi cuts as its caller says. Boxes only, no masks.
    """

    def load_model(self) -> None:
        """Open the folder in ``model_path`` and load its file, one thread."""
        folder = Path(str(self.model_path))
        exported = open_artifact(folder)
        check_bytes(exported)
        artifact = exported.artifact
        if artifact.preprocess is None:
            raise DeployError("NOT-A-DETECTOR", f"{folder} takes no pictures.", "Name a detector's folder.")
        kind = RUNTIMES.open(artifact.target)
        reason = kind.why_not()
        if reason is not None:
            raise DeployError("RUNTIME-MISSING", f"{reason}.", "Install it, or name another export.")
        self._spec, self._block = artifact.preprocess, artifact.decode
        names: tuple[str, ...] = getattr(artifact.decode, "class_names", ())
        self.category_mapping = self.category_mapping or {str(at): name for at, name in enumerate(names)}
        self.set_model(kind(exported.model, artifact.inputs, artifact.outputs, 1))

    def set_model(self, model: Any, **kwargs: Any) -> None:
        """Take a loaded runtime."""
        self.model = model

    def perform_inference(self, image: NDArray[np.uint8]) -> None:
        """Find boxes in one picture, uint8 (H, W, 3) RGB; sahi may change the threshold between calls."""
        decoder = BoxDecoder(self._block, self._spec, self.confidence_threshold)
        tensor, geometry = prepare(image, self._spec)
        outputs = self.model.run({self._spec.input_name: tensor})
        self._original_predictions = decoder.decode(outputs, geometry)

    def _create_object_prediction_list_from_original_predictions(
        self,
        shift_amount_list: Any = None,
        full_shape_list: Any = None,
    ) -> None:
        """sahi's own objects from the last inference, in the tile's pixels, with the tile's place."""
        found: InstancePrediction = self._original_predictions
        shift = list(_first(shift_amount_list) or (0, 0))
        size = _first(full_shape_list)
        facts = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
        self._object_prediction_list_per_image = [
            [
                ObjectPrediction(
                    bbox=box,
                    score=score,
                    category_id=label,
                    category_name=(self.category_mapping or {})[str(label)],
                    shift_amount=shift,
                    full_shape=None if size is None else list(size),
                )
                for box, score, label in facts
            ]
        ]


def _first(given: Any) -> Any:
    """sahi passes one pair, or a list of one pair."""
    if given is None or not len(given):
        return None
    return given[0] if isinstance(given[0], (list, tuple)) else given
