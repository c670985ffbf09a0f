"""True masks, demanded to be truth: bool, of the picture's size, with at least one pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.prompts.types import PromptedPicture


def truth_masks(picture: PromptedPicture, meant: Sequence[int]) -> NDArray[np.bool_]:
    """The masks of the objects ``meant``, bool (T, H, W); all of them, however many.

    A truth of any other dtype is refused: a sigmoid over 0 and 1 gives 0.5 and 0.73, which once turned an
    mIoU of 0.43 into 0.04 and looked like a bad model.

    Raises:
        DeployError: ``TRUTH-NOT-BOOLEAN``, ``TRUTH-BROKEN``.
    """
    size = picture.image.shape[:2]
    masks = np.zeros((len(meant), *size), np.bool_)
    for row, number in enumerate(meant):
        mask = picture.objects[number].mask
        if mask.dtype != np.bool_:
            raise DeployError(
                "TRUTH-NOT-BOOLEAN",
                f"{picture.id}: a true mask has dtype {mask.dtype}; truth is bool, never a logit or a "
                "probability.",
                "Hand the evaluator the mask as it was labelled; no sigmoid belongs on the truth.",
            )
        if mask.shape != size or not mask.any():
            raise DeployError(
                "TRUTH-BROKEN",
                f"{picture.id}: a true mask has {int(mask.sum())} pixels and shape {mask.shape}; the picture "
                f"is {size}.",
                "Give every object a mask of the picture's size, and leave out objects without a pixel.",
            )
        masks[row] = mask
    return masks
