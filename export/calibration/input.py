"""From what the user asked to the calibration file that the converters read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.contracts.artifact import Calibration, CalibrationTrial
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.vision.images import pixel_digest
from export.calibration.methods import CALIBRATORS, METHODS
from export.calibration.pictures import CalibrationPictures, choose_pictures, open_folders
from export.job import CalibrationInput
from export.precisions import PRECISIONS
from training.data.folders import open_folder
from training.data.samples import EvaluationSample

if TYPE_CHECKING:
    from export.request import ExportRequest
    from export.sources.protocol import ModelSource

FILE = "calibration.npy"
_FEW = 16
"""Ranges of 16 pictures are tried beside those of all: more pictures were seen to be worse (wider ranges)."""


def pictures_for(
    request: ExportRequest,
    source: ModelSource,
    precisions: Iterable[str],
    class_names: tuple[str, ...] | None = None,
) -> CalibrationPictures | None:
    """The calibration pictures, or ``None`` where no precision needs any.

    Args:
        precisions: canonical names.
        class_names: the model's classes once it is loaded; labels can be counted then.

    Raises:
        DeployError: ``CALIBRATION-MISSING`` for a model that came without training data, and what the
            folders raise.
    """
    CALIBRATORS.check(request.calibrator)
    if not any(PRECISIONS[name].calibrated for name in precisions):
        return None
    if request.calibration:
        sets = open_folders(request.calibration, source.decode_kind, class_names)
    else:
        own = source.training_set()
        if own is None:
            raise DeployError(
                "CALIBRATION-MISSING",
                f"{request.spec} says nothing of the pictures it was trained on, and w8a8 needs some to see "
                "the activations' ranges.",
                f"Name a folder: deploy export {request.spec} --precision w8a8 --calibration DIR",
            )
        sets = [("the run's training split", own)]
    return choose_pictures(sets, request.calibration_count, class_names or ())


@dataclass(frozen=True)
class TuningPictures:
    """Pictures that an automatic mix is searched on, and the hashes of their pixels."""

    samples: tuple[EvaluationSample, ...]

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """Hex SHA-256 of every picture's pixels, as evaluation data is compared."""
        return tuple(pixel_digest(sample.image) for sample in self.samples)


def tuning_pictures(request: ExportRequest, decode: Decode) -> TuningPictures | None:
    """The pictures of ``--tune-data`` with their labels, or ``None`` where none was named.

    Raises:
        DeployError: what the folder's loader raises, also for labels of another task.
    """
    if request.tune_data is None:
        return None
    found = open_folder(request.tune_data, decode.kind, getattr(decode, "class_names", None))
    return TuningPictures(tuple(found.sample(index) for index in range(len(found))))


def write_input(
    pictures: CalibrationPictures, request: ExportRequest, preprocess: Preprocess | None, folder: Path
) -> CalibrationInput:
    """Prepare the pictures for the model and write them where the converters find them.

    Raises:
        DeployError: ``CALIBRATION-KIND`` for a model whose input is no picture.
    """
    if preprocess is None:
        raise DeployError(
            "CALIBRATION-KIND",
            "This model's input is no picture, so pictures cannot calibrate it.",
            "Export it with --precision w8, which needs no calibration.",
        )
    np.save(folder / FILE, pictures.arrays(preprocess))
    methods = tuple(METHODS) if request.calibrator == "auto" else (request.calibrator,)
    whole = len(pictures.calibration)
    counts = (_FEW, whole) if request.calibrator == "auto" and whole > _FEW else (whole,)
    return CalibrationInput(
        file=FILE,
        samples=whole,
        hold_out=len(pictures.hold_out),
        methods=methods,
        counts=counts,
    )


def as_contract(pictures: CalibrationPictures, trials: tuple[CalibrationTrial, ...]) -> Calibration:
    """What the manifest says of the calibration."""
    return Calibration(
        source=pictures.source,
        samples=len(pictures.calibration),
        hold_out=len(pictures.hold_out),
        classes_unseen=pictures.classes_unseen,
        trials=trials,
    )
