"""Which pictures calibrate: the user's folders or the run's own training split, never evaluation data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.preprocess import Preprocess
from deploy.decode.predictions import ClassTruth, InstanceTruth
from deploy.errors import DeployError
from deploy.store import sha256_bytes
from deploy.vision.images import pixel_digest
from deploy.vision.preprocess import prepare
from export.samples import spread
from training.data.folders import open_folder
from training.data.samples import EvaluationSample, EvaluationSet

LEAST = 4
_HOLD_OUT_SHARE = 0.5


@dataclass(frozen=True)
class CalibrationPictures:
    """The chosen samples: ``calibration`` gives ranges, ``hold_out`` picks among ways of calibrating.

    No group (clip, source photo) is on both sides where there are at least five groups.
    """

    source: str
    calibration: tuple[EvaluationSample, ...]
    hold_out: tuple[EvaluationSample, ...]
    class_names: tuple[str, ...]

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """Hex SHA-256 of every picture's pixels, on both sides, as evaluation data is compared."""
        return tuple(pixel_digest(sample.image) for sample in (*self.calibration, *self.hold_out))

    @property
    def sha256(self) -> str:
        """Hex SHA-256 over all pictures in order, and where the hold-out begins."""
        return sha256_bytes("".join((*self.digests, f":{len(self.calibration)}")).encode())

    @property
    def classes_unseen(self) -> tuple[str, ...] | None:
        """The model's classes that no calibration label shows; ``None`` where nothing is labelled."""
        seen: set[int] = set()
        labelled = False
        for sample in self.calibration:
            if isinstance(sample.truth, ClassTruth):
                labelled, seen = True, seen | {sample.truth.label}
            elif isinstance(sample.truth, InstanceTruth):
                labelled, seen = True, seen | set(map(int, sample.truth.classes))
        if not labelled:
            return None
        return tuple(name for index, name in enumerate(self.class_names) if index not in seen)

    def arrays(self, preprocess: Preprocess) -> NDArray[np.float32]:
        """All samples prepared for the model: float32 (N, C, H, W), calibration first, hold-out last."""
        return np.concatenate([prepare(s.image, preprocess)[0] for s in (*self.calibration, *self.hold_out)])


def choose_pictures(
    sets: Sequence[tuple[str, EvaluationSet]], count: int, class_names: Sequence[str]
) -> CalibrationPictures:
    """An even spread of ``count`` pictures over all sets, and a quarter as many more for the hold-out.

    Args:
        sets: what each is called, and its samples.
        count: pictures to take ranges from.
        class_names: the model's classes, to name those never seen.

    Raises:
        DeployError: ``CALIBRATION-FEW``.
    """
    places = [(number, index) for number, (_, each) in enumerate(sets) for index in range(len(each))]
    if len(places) < LEAST:
        raise DeployError(
            "CALIBRATION-FEW",
            f"There are {len(places)} pictures to calibrate with; at least {LEAST} are needed.",
            "Name a folder with more: deploy export MODEL --precision w8a8 --calibration DIR",
        )
    groups = [f"{number}\0{sets[number][1].groups[index]}" for number, index in places]
    held = _hold_out(groups)
    train = [place for place, out in zip(places, held, strict=True) if not out]
    rest = [place for place, out in zip(places, held, strict=True) if out]
    chosen = _spread(train, count), _spread(rest, max(1, round(count * _HOLD_OUT_SHARE)))
    sides = [tuple(sets[number][1].sample(index) for number, index in side) for side in chosen]
    return CalibrationPictures(" + ".join(name for name, _ in sets), sides[0], sides[1], tuple(class_names))


def open_folders(
    folders: Sequence[Path], decode_kind: str, class_names: Sequence[str] | None
) -> list[tuple[str, EvaluationSet]]:
    """The user's calibration folders; labels are read where their layout serves the task, else ignored.

    Raises:
        DeployError: whatever a folder's loader raises for pictures.
    """
    found = []
    for folder in folders:
        try:
            each = open_folder(folder, decode_kind, class_names)
        except DeployError as error:
            if error.error_id in ("DATA-MISSING", "DATA-EMPTY"):
                raise
            each = open_folder(folder, "tensors")  # labels of another kind: the pictures still calibrate
        found.append((str(folder), each))
    return found


def _hold_out(groups: Sequence[str]) -> list[bool]:
    """True for the samples of every fifth group; with fewer than five groups, for every fifth sample."""
    order = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    if len(order) < 5:
        return [
            index % 5 == 4 or (len(groups) < 5 and index == len(groups) - 1) for index in range(len(groups))
        ]
    return [order[name] % 5 == 4 for name in groups]


def _spread(places: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    return [places[index] for index in spread(len(places), count)]
