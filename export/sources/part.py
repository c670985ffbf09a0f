"""``RUN#PART``: one part of a promptable run, such as ``runs/prompts#image_encoder``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from deploy.contracts.artifact import Source
from deploy.contracts.bundle import PartRole
from deploy.contracts.decode import TensorsDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.registry import DoorPlate
from deploy.store import sha256_bytes
from export.parts.pictures import GENERATED, run_pictures
from export.request import ExportRequest
from export.samples import Picture, spread
from export.sources.code import code_digest
from export.sources.protocol import LoadedModel
from training.checkpoints import read_checkpoint
from training.data.folders import open_folder
from training.data.samples import EvaluationSample, EvaluationSet

_ROLES: DoorPlate[PartRole] = DoorPlate("part", {name: name for name in get_args(PartRole)})
_OUTPUTS: dict[PartRole, tuple[str, ...]] = {
    "image_encoder": ("features",),
    "text_encoder": ("embedding",),
    "mask_decoder": ("masks", "scores", "presence"),
}
MARK = "#"


class PartSource:
    """See ``export.sources.protocol.ModelSource``."""

    decode_kind = "tensors"

    def __init__(self, request: ExportRequest) -> None:
        from export.parts.run import contract_of

        folder, _, role = request.spec.rpartition(MARK)
        self._request, self._folder = request, Path(folder)
        self._role: PartRole = _ROLES.check(role)  # type: ignore[assignment]
        contract_of(self._folder)
        self._checkpoint = read_checkpoint(self._folder)
        self.name = f"{self._folder.resolve().name}-{role.replace('_', '-')}"
        self.training_data = self._checkpoint.data

    def fingerprint(self) -> Source:
        """The run's weights by content; its settings, the part and our own model code count as code."""
        code = f"{self._checkpoint.digest()}{code_digest('training')}{self._role}"
        return Source(
            spec=self._request.spec,
            kind="part",
            weights_sha256=self._checkpoint.weights_sha256,
            code_sha256=sha256_bytes(code.encode()),
        )

    def training_set(self) -> EvaluationSet | None:
        """The training pictures of the generated world, for the part that takes pictures; of a folder only
        ``--calibration`` can say which are not needed to judge."""
        if self._role != "image_encoder" or self._checkpoint.data != GENERATED:
            return None
        return run_pictures(self._checkpoint, "training")

    def load(self) -> LoadedModel:
        """The part with its weights, and real samples: phrases of the contract, features of pictures."""
        from export.parts.modules import PART_MODULES
        from export.parts.run import open_run
        from export.parts.samples import part_samples

        run = open_run(self._folder)
        samples = part_samples(self._role, run, self._chosen(), self._request.sample_count)
        return LoadedModel(
            module=PART_MODULES[self._role](run.module).eval(),
            inputs=_doors(samples[0]),
            output_names=_OUTPUTS[self._role],
            preprocess=self._preprocess(),
            decode=TensorsDecode(),
            task=self._checkpoint.task,
            samples=samples,
        )

    def _preprocess(self) -> Preprocess | None:
        return self._checkpoint.preprocess if self._role == "image_encoder" else None

    def _chosen(self) -> list[EvaluationSample]:
        """Real pictures, evenly spread over ``--samples`` or the run's own."""
        given = self._request.samples
        whole = open_folder(given, "tensors") if given else run_pictures(self._checkpoint, "validation")
        return [whole.sample(index) for index in spread(len(whole), self._request.sample_count)]


def _doors(sample: Picture) -> tuple[TensorSpec, ...]:
    """Names, shapes and dtypes as the samples have them."""
    return tuple(
        TensorSpec(name=name, shape=value.shape, dtype=value.dtype.name)  # type: ignore[arg-type]
        for name, value in sample.inputs.items()
    )
