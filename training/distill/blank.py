"""Pictures without objects: a picture whose objects were painted over, and plain noise."""

from __future__ import annotations

import numpy as np

from deploy.prompts.types import PromptedPicture


def emptied(picture: PromptedPicture, rng: np.random.Generator) -> PromptedPicture:
    """The picture's own background everywhere: pixels of objects are replaced by pixels drawn from the rest
    (from noise around grey when there is no rest)."""
    image = picture.image.copy()
    if picture.objects:
        covered = np.stack([each.mask for each in picture.objects]).any(axis=0)
        rest = image[~covered]
        count = int(covered.sum())
        if len(rest):
            image[covered] = rest[rng.integers(len(rest), size=count)]
        else:
            image[covered] = np.clip(rng.normal(114, 14, (count, 3)), 0, 255).astype(np.uint8)
    return PromptedPicture(f"{picture.id}-emptied", image, ())


def noise(picture: PromptedPicture, rng: np.random.Generator) -> PromptedPicture:
    """Independent pixels over the full range, at the picture's size."""
    image = rng.integers(0, 256, picture.image.shape, dtype=np.uint8)
    return PromptedPicture(f"{picture.id}-noise", image, ())
