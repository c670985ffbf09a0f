"""Prompts as the arrays that a promptable model takes; one way for training, answering and export."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.prompts.encode import encode_places
from deploy.prompts.types import Prompt
from training.text.protocol import Tokenizer


def encode_prompts(
    prompts: Sequence[Prompt], tokenizer: Tokenizer, points: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Token ids int64 (N, L), points float32 (N, points, 3) with label -1 where absent, and boxes float32
    (N, 5) whose last number says whether there is one.

    Raises:
        DeployError: ``TOO-MANY-POINTS``, ``PHRASE-TOO-LONG``.
    """
    ids = tokenizer.encode([prompt.text for prompt in prompts])
    spots, boxes = encode_places(prompts, points)
    return ids, spots, boxes
