"""What the visual page shows of an evaluation: some pictures, with every model's masks for every prompt."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.promptable.records import Group
from deploy.prompts.types import Prompt

MOST_PICTURES = 25
MOST_PROMPTS = 15
"""A page of 25 pictures by 15 prompts is what a person looks through in some minutes."""


@dataclass(frozen=True)
class Shown:
    """One model's answer to one prompt: its kept masks as one, bool (H, W), and whether it said "there";
    ``mask`` is ``None`` where it cannot answer such prompts."""

    mask: NDArray[np.bool_] | None
    said: bool


@dataclass(frozen=True)
class ShownPrompt:
    """A prompt, why it was asked, its truth as one mask, bool (H, W), and the models' answers by label."""

    prompt: Prompt
    group: Group
    truth: NDArray[np.bool_]
    answers: dict[str, Shown] = field(default_factory=dict)


@dataclass(frozen=True)
class Exhibit:
    """One picture, uint8 (H, W, 3) RGB, and its prompts."""

    id: str
    image: NDArray[np.uint8]
    prompts: tuple[ShownPrompt, ...]


def chosen(count: int) -> frozenset[int]:
    """Numbers of the pictures to show out of ``count``: at most 25, evenly spread."""
    most = min(count, MOST_PICTURES)
    return frozenset(number * count // most for number in range(most))
