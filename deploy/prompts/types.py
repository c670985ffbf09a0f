"""A prompt, the objects of a picture, and an answer: what teachers, students and exported chains share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

PromptKind = Literal["text", "point", "box"]


@dataclass(frozen=True)
class Prompt:
    """One question about a picture.

    ``text`` is the phrase; a geometric prompt carries its world's neutral phrase. ``points``: float32 (N, 3)
    of x, y in 0..1 of the picture and 1 for "this" or 0 for "not this". ``box``: float32 (4,) of x0, y0, x1,
    y1 in 0..1.
    """

    text: str
    points: NDArray[np.float32] | None = None
    box: NDArray[np.float32] | None = None

    @property
    def kind(self) -> PromptKind:
        """What is asked with: a box before points before text."""
        if self.box is not None:
            return "box"
        return "text" if self.points is None else "point"


@dataclass(frozen=True)
class PromptedObject:
    """A true object: its mask, bool (H, W), and the concept it is one of."""

    mask: NDArray[np.bool_]
    concept: str


@dataclass(frozen=True)
class PromptedPicture:
    """A picture, uint8 (H, W, 3) RGB, with all its objects; without any it is a negative for every phrase."""

    id: str
    image: NDArray[np.uint8]
    objects: tuple[PromptedObject, ...]


@dataclass(frozen=True)
class Answer:
    """What a model says to one prompt.

    ``masks``: float32 (Q, h, w) **logits** over the whole picture, at any resolution. ``scores``: float32
    (Q,) in 0..1, how sure each query is of its object. ``presence``: 0..1, how sure the model is that the
    picture shows anything that was asked for.
    """

    masks: NDArray[np.float32]
    scores: NDArray[np.float32]
    presence: float


@dataclass(frozen=True)
class Vocabulary:
    """Which concepts each phrase means, e.g. ``red disc`` one and ``disc`` three.

    ``neutral`` is the phrase of geometric prompts; it means every concept.
    """

    meanings: Mapping[str, frozenset[str]]
    neutral: str
    generic: tuple[str, ...] = field(default=())

    @property
    def phrases(self) -> tuple[str, ...]:
        """All phrases but the neutral one, sorted."""
        return tuple(sorted(self.meanings.keys() - {self.neutral}))

    def meant(self, picture: PromptedPicture, phrase: str) -> tuple[int, ...]:
        """Indices of the objects that a phrase means."""
        wanted = self.meanings[phrase]
        return tuple(number for number, each in enumerate(picture.objects) if each.concept in wanted)


class World(Protocol):
    """Pictures with all their objects, and the phrases that are asked about them."""

    vocabulary: Vocabulary
    sha256: str

    def __len__(self) -> int: ...

    def picture(self, index: int) -> PromptedPicture:
        """One picture; the same index gives the same picture."""
        ...


class Answerer(Protocol):
    """A teacher, a student or an exported chain. ``kinds`` are the prompts that it can answer."""

    name: str
    kinds: frozenset[PromptKind]

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt; ``image`` is uint8 (H, W, 3) RGB."""
        ...
