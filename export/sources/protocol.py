"""The socket of a model source: first a fingerprint without torch, then the loaded fp32 model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from deploy.contracts.artifact import Source
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

    from export.request import ExportRequest
    from export.samples import Picture
    from training.data.samples import EvaluationSet


@dataclass(frozen=True)
class LoadedModel:
    """A model in eval mode, fp32, on the CPU, and how pictures get in and predictions out.

    ``inputs`` have static shapes. ``preprocess`` is ``None`` where no picture goes in.
    ``output_names`` is ``None`` where the model's own structure names them. ``samples`` are real inputs that
    the source itself brings, where they are more than pictures.
    """

    module: nn.Module
    inputs: tuple[TensorSpec, ...]
    output_names: tuple[str, ...] | None
    preprocess: Preprocess | None
    decode: Decode
    task: str
    samples: tuple[Picture, ...] | None = None


class ModelSource(Protocol):
    """One kind of thing a user can point at, built from the request.

    ``name`` is the artifacts' first name; ``training_data`` is what a run was trained on, ``None`` elsewhere.
    ``decode_kind`` is how its outputs will be read, which says what labels could serve it.
    """

    name: str
    training_data: str | None

    def __init__(self, request: ExportRequest) -> None: ...

    @property
    def decode_kind(self) -> str:
        """The kind of its ``Decode`` block."""
        ...

    def fingerprint(self) -> Source:
        """Hashes of weights and code, without importing torch: the cache is asked before the model is."""
        ...

    def training_set(self) -> EvaluationSet | None:
        """The pictures it was trained on, or ``None`` where nobody knows them."""
        ...

    def load(self) -> LoadedModel:
        """Build the model and load its weights; raises ``DeployError`` for anything that does not fit."""
        ...
