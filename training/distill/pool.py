"""A world's pictures kept in memory at training size, with their true masks as bool."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.console import progress
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.prompts.types import PromptedObject, PromptedPicture, World
from deploy.vision.preprocess import place

_LIMIT_BYTES = 4 << 30


class PromptPool:
    """Pictures of a world at the model's input size; an object of which no pixel is left is dropped.

    Args:
        world: all pictures.
        spec: the input; pictures are stretched to it.
    """

    def __init__(self, world: World, spec: Preprocess) -> None:
        if len(world) * spec.width * spec.height * 6 > _LIMIT_BYTES:
            raise DeployError(
                "DATA-TOO-LARGE",
                f"{len(world)} pictures at {spec.width}x{spec.height} pixels need more than "
                f"{_LIMIT_BYTES >> 30} GiB.",
                "Train on fewer pictures, or with a smaller --size.",
            )
        self.pictures: list[PromptedPicture] = []
        with progress("Reading pictures", len(world)) as bar:
            for index in range(len(world)):
                self.pictures.append(_fitted(world.picture(index), spec))
                bar.advance()

    def __len__(self) -> int:
        return len(self.pictures)


def _fitted(picture: PromptedPicture, spec: Preprocess) -> PromptedPicture:
    if picture.image.shape[:2] == (spec.height, spec.width):
        return picture
    image = place(picture.image, spec)[0]
    small = ((each.concept, _small(each.mask, spec)) for each in picture.objects)
    objects = tuple(PromptedObject(mask, concept) for concept, mask in small if mask.any())
    return PromptedPicture(picture.id, image, objects)


def _small(mask: NDArray[np.bool_], spec: Preprocess) -> NDArray[np.bool_]:
    """A mask at input size: pixels at least half covered."""
    size = (spec.width, spec.height)
    return np.asarray(
        cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5, np.bool_
    )


def mirrored(picture: PromptedPicture) -> PromptedPicture:
    """Left and right exchanged, in the picture and its masks."""
    objects = tuple(PromptedObject(each.mask[:, ::-1], each.concept) for each in picture.objects)
    return PromptedPicture(f"{picture.id}-mirrored", np.ascontiguousarray(picture.image[:, ::-1]), objects)
