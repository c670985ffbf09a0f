"""The real pictures that parity, golden samples and overflow are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.store import sha256_bytes
from deploy.vision.geometry import Geometry
from deploy.vision.preprocess import prepare
from export.sources.code import code_digest
from training.data.clips import Clip, ClipWorld
from training.data.folders import open_folder
from training.data.generated import generated_set

if TYPE_CHECKING:
    from export.request import ExportRequest
    from training.data.samples import EvaluationSet

GENERATED = "generated"


@dataclass(frozen=True)
class Picture:
    """One sample ready for the model. ``image`` is ``None`` for inputs that are no pictures."""

    id: str
    image: NDArray[np.uint8] | None
    inputs: dict[str, NDArray[np.generic]]
    geometry: Geometry | None


class ParitySamples:
    """Where the samples come from: ``--samples``, the run's own data, or generated clips.

    ``note`` says which; ``digest`` changes when the samples do, without reading more than is needed.
    """

    def __init__(self, request: ExportRequest, training_data: str | None) -> None:
        self._request = request
        self._folder = _folder(request, training_data)
        self.note = f"pictures from {self._folder}" if self._folder else "frames of generated clips"
        self._is_run = training_data is not None

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what the samples depend on."""
        count = self._request.sample_count
        if self._folder is None:
            generator = code_digest("training")
            return sha256_bytes(f"generated:{generator}:{self._request.seed}:{count}".encode())
        chosen = self._set()
        return sha256_bytes("".join(chosen.sample(i).sha256 for i in range(len(chosen))).encode())

    def load(self, inputs: tuple[TensorSpec, ...], preprocess: Preprocess | None) -> list[Picture]:
        """The samples as model inputs; without a preprocess block seeded normal noise stands in."""
        if preprocess is None:
            rng = np.random.default_rng(self._request.seed)
            return [
                Picture(f"noise-{index}", None, {spec.name: _noise(rng, spec) for spec in inputs}, None)
                for index in range(self._request.sample_count)
            ]
        chosen = self._set()
        samples = [chosen.sample(index) for index in range(len(chosen))]
        pictures = []
        for sample in samples:
            tensor, geometry = prepare(sample.image, preprocess)
            pictures.append(Picture(sample.id, sample.image, {preprocess.input_name: tensor}, geometry))
        return pictures

    def clip(self) -> Clip | None:
        """A held-out generated clip with its masks, for a run that learnt on generated clips."""
        if self._folder is not None or not self._is_run:
            return None
        return ClipWorld(self._request.seed).held_out(0)

    def _set(self) -> EvaluationSet:
        count = self._request.sample_count
        if self._folder is None:
            whole = generated_set(clips=count, seed=self._request.seed, frames=12)
        else:
            whole = open_folder(self._folder, "tensors")
        return whole.subset(spread(len(whole), count))


def _folder(request: ExportRequest, training_data: str | None) -> Path | None:
    if request.samples is not None:
        return request.samples
    if training_data in (None, GENERATED):
        return None
    return Path(training_data) if Path(training_data).is_dir() else None


def spread(total: int, count: int) -> Sequence[int]:
    """At most ``count`` indices, evenly spread over ``total`` samples."""
    count = min(count, total)
    return [int((index + 0.5) * total / count) for index in range(count)]


def _noise(rng: np.random.Generator, spec: TensorSpec) -> NDArray[np.generic]:
    return rng.standard_normal(spec.shape, np.float32)
