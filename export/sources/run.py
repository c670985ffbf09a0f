"""A run folder that ``deploy train`` wrote."""

from __future__ import annotations

from pathlib import Path

from deploy.contracts.artifact import Source
from deploy.contracts.tensor import TensorSpec
from deploy.store import sha256_bytes
from export.request import ExportRequest
from export.sources.code import code_digest
from export.sources.protocol import LoadedModel
from training.checkpoints import load_checkpoint, read_checkpoint
from training.data.samples import EvaluationSet
from training.data.sides import mask_sides
from training.detection.opening import training_tiles
from training.run_files import CONFIG
from training.settings import TrainSettings


class RunSource:
    """See ``export.sources.protocol.ModelSource``."""

    def __init__(self, request: ExportRequest) -> None:
        self._folder = Path(request.spec)
        self._checkpoint = read_checkpoint(self._folder)
        self.name = self._folder.resolve().name
        self.training_data = self._checkpoint.data
        self.decode_kind = self._checkpoint.decode.kind

    def fingerprint(self) -> Source:
        """Weights by content; the checkpoint's settings and our own model code count as code."""
        weights = self._checkpoint.weights_sha256
        code = sha256_bytes(f"{self._checkpoint.digest()}{code_digest('training')}".encode())
        return Source(spec=str(self._folder), kind="run", weights_sha256=weights, code_sha256=code)

    def training_set(self) -> EvaluationSet | None:
        """The training side of the run's own data, cut into tiles where the run learned from tiles."""
        if self._checkpoint.task == "tiled_detection":
            return training_tiles(TrainSettings.load(self._folder / CONFIG))
        if self._checkpoint.decode.kind != "binary_mask":
            return None
        return mask_sides(self._checkpoint.data, self._checkpoint.seed)[0]

    def load(self) -> LoadedModel:
        """The checkpoint's model with its weights."""
        checkpoint, module = load_checkpoint(self._folder)
        spec = checkpoint.preprocess
        shape = (1, spec.channels, spec.height, spec.width)
        outputs = None if checkpoint.decode.kind == "tensors" else (checkpoint.decode.output,)
        return LoadedModel(
            module=module.eval(),
            inputs=(TensorSpec(name=spec.input_name, shape=shape),),
            output_names=outputs,
            preprocess=spec,
            decode=checkpoint.decode,
            task=checkpoint.task,
        )
