"""The world's own truth, answering as a teacher would: certain logits, sure scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.prompts.types import Answer, Answerer, Prompt, PromptedPicture, PromptKind, World
from deploy.store import sha256_bytes

_SURE = 10.0
"""Logit of a certain pixel: a chance of 0.99995."""


class Truth:
    """Knows every picture of one world by its pixels. A point means the object under it (the one in front),
    a box the object whose own box overlaps it most."""

    name = "truth"
    kinds: frozenset[PromptKind] = frozenset({"text", "point", "box"})

    def __init__(self, world: World) -> None:
        self._world = world
        self._places: dict[str, int] | None = None

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt; raises ``PICTURE-UNKNOWN`` for a picture that the world does not have."""
        picture = self._find(image)
        return [self._one(picture, prompt) for prompt in prompts]

    def _one(self, picture: PromptedPicture, prompt: Prompt) -> Answer:
        chosen = meant_by(picture, prompt, self._world)
        shape = (len(chosen), *picture.image.shape[:2])
        masks = np.full(shape, -_SURE, np.float32)
        for mask, number in zip(masks, chosen, strict=True):
            mask[picture.objects[number].mask] = _SURE
        return Answer(masks, np.ones(len(chosen), np.float32), float(bool(chosen)))

    def _find(self, image: NDArray[np.uint8]) -> PromptedPicture:
        if self._places is None:
            self._places = {_key(self._world.picture(i).image): i for i in range(len(self._world))}
        place = self._places.get(_key(image))
        if place is None:
            raise DeployError(
                "PICTURE-UNKNOWN",
                "The truth was asked about a picture that its world does not have.",
                "Ask the truth only about pictures of the world that it was opened with.",
            )
        return self._world.picture(place)


def meant_by(picture: PromptedPicture, prompt: Prompt, world: World) -> tuple[int, ...]:
    """Indices of the objects that a prompt of any kind means."""
    if prompt.box is not None:
        overlaps = [_box_iou(each.mask, prompt.box) for each in picture.objects]
        return (int(np.argmax(overlaps)),) if overlaps and max(overlaps) > 0 else ()
    if prompt.points is not None:
        return _under(picture, prompt.points)
    return world.vocabulary.meant(picture, prompt.text)


def _under(picture: PromptedPicture, points: NDArray[np.float32]) -> tuple[int, ...]:
    """Objects under a point that says "this", less those under a point that says "not this"."""
    height, width = picture.image.shape[:2]
    wanted: set[int] = set()
    refused: set[int] = set()
    for x, y, label in points:
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        hit = {number for number, each in enumerate(picture.objects) if each.mask[row, column]}
        (wanted if label > 0 else refused).update(hit)
    return tuple(sorted(wanted - refused))


def _box_iou(mask: NDArray[np.bool_], box: NDArray[np.float32]) -> float:
    """IoU of a mask's tight box and a box x0, y0, x1, y1 in 0..1."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0
    height, width = mask.shape
    own = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    x0, y0, x1, y1 = (float(value) for value in box)
    both = max(0.0, min(own[2], x1) - max(own[0], x0)) * max(0.0, min(own[3], y1) - max(own[1], y0))
    either = (own[2] - own[0]) * (own[3] - own[1]) + (x1 - x0) * (y1 - y0) - both
    return both / either if either > 0 else 0.0


def _key(image: NDArray[np.uint8]) -> str:
    return sha256_bytes(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes())


def open_plug(place: str, world: World) -> Answerer:
    """``truth`` takes nothing after a colon."""
    if place:
        raise DeployError(
            "TEACHER-SPEC", f"The teacher truth takes no {place!r}.", "Write --teacher truth alone."
        )
    return Truth(world)
