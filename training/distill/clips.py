"""Clips made of a world's pictures: objects that move at constant speed, stand still, or vanish."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deploy.prompts.types import PromptedObject, PromptedPicture
from training.distill.blank import emptied

Fate = Literal["moving", "frozen", "vanish"]

_FASTEST = 0.06
"""Largest step of an object from frame to frame, as a share of the picture's side."""

_GRAIN = 3.0


def make_clip(
    picture: PromptedPicture, frames: int, fate: Fate, rng: np.random.Generator
) -> list[PromptedPicture]:
    """A clip that begins with the picture's objects where they are.

    ``moving``: every object has a constant velocity of its own, later ones pass in front, and each frame has
    its own grain; what leaves the picture is gone. ``frozen``: one frame, again and again, to the bit.
    ``vanish``: as moving, but from the middle on no object is there, which is what a presence head must see.
    """
    if fate == "frozen":
        return [PromptedPicture(f"{picture.id}-{n}", picture.image, picture.objects) for n in range(frames)]
    ground = emptied(picture, rng).image
    side = min(picture.image.shape[:2])
    speeds = rng.uniform(-_FASTEST, _FASTEST, (len(picture.objects), 2)) * side
    clip = []
    for number in range(frames):
        gone = fate == "vanish" and number >= (frames + 1) // 2
        image = ground.astype(np.float32)
        masks: list[NDArray[np.bool_]] = []
        for each, speed in zip(picture.objects, speeds, strict=True):
            down, across = (round(float(value) * number) for value in speed)
            mask = np.zeros_like(each.mask) if gone else _moved(each.mask, down, across)
            image[mask] = _moved(picture.image, down, across)[mask]
            masks = [seen & ~mask for seen in masks] + [mask]
        image += rng.normal(0, _GRAIN, image.shape)
        objects = tuple(
            PromptedObject(mask, each.concept)
            for mask, each in zip(masks, picture.objects, strict=True)
            if mask.any()
        )
        frame = np.clip(image, 0, 255).astype(np.uint8)
        clip.append(PromptedPicture(f"{picture.id}-{number}", frame, objects))
    return clip


def _moved(plane: NDArray[Any], down: int, across: int) -> NDArray[Any]:
    """A plane (H, W) or (H, W, 3) moved by whole pixels; what comes in is zero."""
    moved = np.zeros_like(plane)
    height, width = plane.shape[:2]
    rows = slice(max(0, down), min(height, height + down))
    columns = slice(max(0, across), min(width, width + across))
    from_rows = slice(max(0, -down), min(height, height - down))
    from_columns = slice(max(0, -across), min(width, width - across))
    moved[rows, columns] = plane[from_rows, from_columns]
    return moved
