"""The samples of a verification, described so briefly that every process can open them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.contracts.accuracy import EvaluationData
from deploy.contracts.decode import Decode
from deploy.errors import DeployError, ExitCode
from deploy.vision.images import pixel_digest
from training.data.folders import open_folder
from training.data.generated import generated_set
from training.data.samples import EvaluationSet

GENERATED = "generated clips"
_GENERATED_CLIPS, _GENERATED_FRAMES = 20, 12


@dataclass(frozen=True)
class DataSource:
    """Where the samples come from. ``folder`` ``None`` means held-out generated clips.

    ``limit`` keeps that many samples, evenly spread.
    """

    folder: Path | None
    decode: Decode
    limit: int | None
    seed: int

    def open(self) -> EvaluationSet:
        """The samples, in a stable order.

        Raises:
            DeployError: ``DATA-NEEDED`` where there is no folder and generated clips have no truth for the
                task; whatever the folder's loader raises.
        """
        if self.folder is None:
            if self.decode.kind != "binary_mask":
                raise DeployError(
                    "DATA-NEEDED",
                    f"There is no generated data for a model that is decoded as {self.decode.kind}.",
                    "Name your own pictures: deploy verify ARTIFACTS --data DIR",
                )
            whole = generated_set(clips=_GENERATED_CLIPS, frames=_GENERATED_FRAMES, seed=self.seed)
        else:
            whole = open_folder(self.folder, self.decode.kind, getattr(self.decode, "class_names", None))
        if self.limit is None or self.limit >= len(whole):
            return whole
        return whole.subset([index * len(whole) // self.limit for index in range(self.limit)])

    def describe(self, samples: EvaluationSet) -> EvaluationData:
        """The samples as the report names them."""
        return EvaluationData(
            path=str(self.folder) if self.folder else GENERATED,
            layout=samples.layout,
            samples=len(samples),
            labelled=samples.labelled,
            sha256=samples.sha256,
        )


def demand_disjoint(samples: EvaluationSet, calibration: frozenset[str]) -> None:
    """Raise ``CALIBRATION-LEAK`` when a picture that calibrated an artifact is evaluated, by content hash.

    Args:
        calibration: hex SHA-256 of the pixels of every calibration picture.
    """
    if not calibration:
        return
    shared = [
        sample_id
        for index, sample_id in enumerate(samples.ids)
        if picture_digest(samples, index) in calibration
    ]
    if shared:
        raise DeployError(
            "CALIBRATION-LEAK",
            f"{len(shared)} of {len(samples)} evaluation pictures were used to calibrate ({shared[0]}).",
            "Evaluate on other pictures: name a folder with --data that shares none with the calibration.",
            ExitCode.INCOMPARABLE,
        )


def picture_digest(samples: EvaluationSet, index: int) -> str:
    """Hex SHA-256 of a sample's decoded pixels, whatever its file was called."""
    return pixel_digest(samples.sample(index).image)
