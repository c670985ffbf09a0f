"""A question put to a picture, with why it was asked and what the true answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploy.prompts.types import Prompt

Source = Literal["generic", "category", "hard", "absent", "blank", "click"]


@dataclass(frozen=True)
class Asked:
    """One prompt of a batch.

    ``source``: why it was asked. ``generic``: a phrase for everything; ``category``: a phrase for something
    that is there; ``hard``: for something that is not there and shares a word with something that is;
    ``absent``: for any other thing that is not there; ``blank``: any phrase, of a picture without objects;
    ``click``: a point or a box. ``objects``: indices of the true objects, empty when there are none.
    """

    prompt: Prompt
    source: Source
    objects: tuple[int, ...]
