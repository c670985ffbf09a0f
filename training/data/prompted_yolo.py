"""A world over the user's own polygons: a YOLO folder whose class names are the phrases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from deploy.prompts.types import PromptedObject, PromptedPicture, Vocabulary
from deploy.store import canonical_json, sha256_bytes
from training.data.folders import open_folder
from training.data.layouts.yolo_names import read_names
from training.data.samples import EvaluationSample, EvaluationSet
from training.data.split import split_groups

NEUTRAL = "object"
"""The phrase of point and box prompts; it means every class."""

PARTS = ("training", "validation", "held_out")

_KEPT_PICTURES = 16


class PromptedYolo:
    """A ``World`` of pictures with polygons: concepts and phrases are the class names.

    Args:
        folder: ``images/`` and ``labels/`` as ultralytics writes them; every object a polygon.
        class_names: names in index order, for a folder without ``data.yaml``.
        part: ``None`` for every picture, or one of ``PARTS``: 60, 20 and 20 % of the groups by a hash of
            ``seed`` and group, so that no clip is cut and adding pictures moves no others between parts much.
        seed: seed of that hash.
        longest: pictures are made smaller until their longer side has so many pixels; ``None`` keeps them.
            An object of which no pixel is left is no longer in the picture.

    Raises:
        DeployError: what the folder's loader raises; ``CLASS-NAMES-MISSING``, ``MASKS-MISSING``,
            ``WORLD-SETTINGS``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        class_names: Sequence[str] | None = None,
        part: str | None = None,
        seed: int = 0,
        longest: int | None = None,
    ) -> None:
        if part not in (None, *PARTS) or (longest is not None and longest < 16):
            raise DeployError(
                "WORLD-SETTINGS",
                f"A world over {folder} cannot have part {part!r} and longest side {longest}.",
                f"Use one of {', '.join(PARTS)} and a longest side of 16 pixels or more.",
            )
        whole = open_folder(folder, "yolo", class_names)
        if read_names(folder) is None and class_names is None:
            raise DeployError(
                "CLASS-NAMES-MISSING",
                f"{folder} has no data.yaml, so its classes have numbers and no names to ask for.",
                "Name them: write data.yaml with names: [first, second] there, or give --names FILE.",
            )
        names = whole.class_names or ()
        self._samples = _part(whole, part, seed)
        self._longest, self._folder = longest, folder
        meanings = {name: frozenset({name}) for name in names if name != NEUTRAL}
        meanings[NEUTRAL] = frozenset(names)
        self.vocabulary = Vocabulary(meanings, NEUTRAL, generic=(NEUTRAL,))
        facts = {"names": list(names), "samples": self._samples.sha256, "longest": longest}
        self.sha256 = sha256_bytes(canonical_json(facts).encode())
        self._names = names
        self._read = lru_cache(maxsize=_KEPT_PICTURES)(self._make)

    def __len__(self) -> int:
        return len(self._samples)

    def picture(self, index: int) -> PromptedPicture:
        """Picture ``index`` with all its objects; raises ``MASKS-MISSING`` for a folder of boxes."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._read(index)

    def _make(self, index: int) -> PromptedPicture:
        sample = self._samples.sample(index)
        masks, classes = self._truth(sample)
        image = sample.image
        height, width = image.shape[:2]
        if self._longest is not None and max(height, width) > self._longest:
            scale = self._longest / max(height, width)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            masks = [_smaller(mask, size) for mask in masks]
        objects = tuple(
            PromptedObject(mask, self._names[klass])
            for mask, klass in zip(masks, classes, strict=True)
            if mask.any()
        )
        return PromptedPicture(sample.id, image, objects)

    def _truth(self, sample: EvaluationSample) -> tuple[list[NDArray[np.bool_]], list[int]]:
        truth = sample.truth
        if not isinstance(truth, InstanceTruth) or len(truth.classes) == 0:
            return [], []
        if truth.masks is None:
            raise DeployError(
                "MASKS-MISSING",
                f"{sample.id} of {self._folder} is labelled with boxes, and masks cannot be scored by them.",
                "Use a data set in which every object is a polygon.",
            )
        return list(truth.masks), [int(klass) for klass in truth.classes]


def read_class_names(path: Path) -> tuple[str, ...]:
    """Class names from a file: a ``data.yaml``, or one name a line.

    Raises:
        DeployError: ``FILE-UNREADABLE``, ``YAML-BROKEN``, ``CLASS-NAMES-MISSING``.
    """
    if path.name == "data.yaml":
        found = read_names(path.parent)
        return found or ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(
            "FILE-UNREADABLE",
            f"{path} cannot be read as text ({error}).",
            "Check the path given with --names.",
        ) from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names or len(set(names)) != len(names):
        raise DeployError(
            "CLASS-NAMES-MISSING",
            f"{path} holds {len(names)} names, {len(set(names))} of them different.",
            "Write one class name a line, in the order of the class numbers, none twice.",
        )
    return names


def _part(whole: EvaluationSet, part: str | None, seed: int) -> EvaluationSet:
    if part is None:
        return whole
    rest, held = split_groups(whole.groups, seed)
    if part == "held_out":
        return whole.subset(held)
    groups = [whole.groups[index] for index in rest]
    training, validation = split_groups(groups, seed + 1, 0.25)
    chosen = training if part == "training" else validation
    return whole.subset([rest[index] for index in chosen])


def _smaller(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at ``size`` (width, height): pixels at least half covered."""
    return np.asarray(
        cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5, np.bool_
    )
