"""Which prompts a picture is asked: stated shares of sources and kinds, drawn from a stream of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from deploy.contracts.base import Contract
from deploy.errors import DeployError
from deploy.prompts.types import Prompt, PromptedPicture, PromptKind, Vocabulary
from training.distill.asked import Asked, Source

_MISSED_CLICKS = 0.2
"""Share of points that lie on nothing, where there is nothing to lie on: presence has to be learned for
clicks too."""


class PromptShares(Contract):
    """Stated shares, each 0..1.

    ``generic``, ``category``, ``hard`` and ``absent`` are of the phrases asked about pictures with objects
    and sum to 1; ``text``, ``point`` and ``box`` are of all prompts about pictures with objects and sum to
    1; ``empty`` and ``noise`` are of the pictures.
    """

    generic: float = Field(default=0.1, ge=0, le=1)
    category: float = Field(default=0.4, ge=0, le=1)
    hard: float = Field(default=0.3, ge=0, le=1)
    absent: float = Field(default=0.2, ge=0, le=1)
    text: float = Field(default=0.8, ge=0, le=1)
    point: float = Field(default=0.1, ge=0, le=1)
    box: float = Field(default=0.1, ge=0, le=1)
    empty: float = Field(default=0.03, ge=0, lt=1)
    noise: float = Field(default=0.02, ge=0, lt=1)

    @model_validator(mode="after")
    def _sums(self) -> PromptShares:
        for names in (SOURCES, KINDS):
            total = sum(getattr(self, name) for name in names)
            if abs(total - 1) > 1e-6:
                raise ValueError(f"{' + '.join(names)} is {total:g} and must be 1")
        if self.empty + self.noise >= 1:
            raise ValueError("empty + noise must be below 1")
        return self


SOURCES: tuple[Source, ...] = ("generic", "category", "hard", "absent")
KINDS: tuple[PromptKind, ...] = ("text", "point", "box")


def demand_kinds(shares: PromptShares, kinds: frozenset[PromptKind], teacher: str) -> None:
    """Refuse a kind of prompt that the teacher cannot answer; a target that ignored the prompt would teach
    the student to ignore it too.

    Raises:
        DeployError: ``TEACHER-CANNOT-ANSWER``.
    """
    for kind in KINDS:
        if getattr(shares, kind) > 0 and kind not in kinds:
            able = ", ".join(sorted(kinds))
            raise DeployError(
                "TEACHER-CANNOT-ANSWER",
                f"{teacher} cannot answer {kind} prompts (it answers {able}), and "
                f"{getattr(shares, kind):.0%} of the prompts would be such.",
                f"Ask only what it can answer: --set {kind}=0 --set text=1",
            )


class PromptSampler:
    """Draws prompts for one picture after another; all chance comes from the stream it is given.

    Args:
        vocabulary: the world's phrases.
        shares: stated shares.
        frequent: phrases that many pictures show; where no phrase shares a word with what is there, as
            with most class names, an absent one of these is the hard negative (as the evaluator has it).
    """

    def __init__(
        self, vocabulary: Vocabulary, shares: PromptShares, frequent: frozenset[str] = frozenset()
    ) -> None:
        self._vocabulary, self._shares, self._frequent = vocabulary, shares, frequent
        self._generic = vocabulary.generic or (vocabulary.neutral,)
        self._specific = tuple(name for name in vocabulary.phrases if name not in self._generic)
        self._words = {name: frozenset(name.split()) for name in self._specific}

    def draw(self, picture: PromptedPicture, count: int, rng: np.random.Generator) -> list[Asked]:
        """``count`` prompts about a picture."""
        if not picture.objects:
            return [self._blank(rng) for _ in range(count)]
        kinds = rng.choice(len(KINDS), count, p=[getattr(self._shares, kind) for kind in KINDS])
        return [self._one(picture, KINDS[int(kind)], rng) for kind in kinds]

    def meant(self, picture: PromptedPicture, asked: Asked) -> tuple[int, ...]:
        """The objects that a phrase means in another picture, such as a clip's next frame."""
        return self._vocabulary.meant(picture, asked.prompt.text)

    def _blank(self, rng: np.random.Generator) -> Asked:
        names = self._specific + self._generic
        return Asked(Prompt(names[int(rng.integers(len(names)))]), "blank", ())

    def _one(self, picture: PromptedPicture, kind: PromptKind, rng: np.random.Generator) -> Asked:
        if kind == "text":
            return self._phrase(picture, rng)
        if kind == "point":
            return point(picture, self._vocabulary.neutral, rng)
        return box(picture, self._vocabulary.neutral, rng)

    def _phrase(self, picture: PromptedPicture, rng: np.random.Generator) -> Asked:
        """A phrase of a source drawn by share; a source that has none for this picture gives way to the next
        one down the list, and the count of what was delivered shows it."""
        present = [name for name in self._specific if self._vocabulary.meant(picture, name)]
        said = frozenset().union(*(self._words[name] for name in present))
        missing = [name for name in self._specific if name not in set(present)]
        alike = [name for name in missing if self._words[name] & said]
        near = alike or [name for name in missing if name in self._frequent]
        far = [name for name in missing if name not in set(near)]
        pools: dict[Source, list[str]] = {
            "generic": list(self._generic),
            "category": present,
            "hard": near,
            "absent": far or missing,
        }
        wanted = SOURCES[int(rng.choice(len(SOURCES), p=[getattr(self._shares, s) for s in SOURCES]))]
        order = (wanted, *(source for source in reversed(SOURCES) if source != wanted))
        source = next(each for each in order if pools[each])
        name = pools[source][int(rng.integers(len(pools[source])))]
        return Asked(Prompt(name), source, self._vocabulary.meant(picture, name))


def frequent_phrases(pictures: Sequence[PromptedPicture], vocabulary: Vocabulary) -> frozenset[str]:
    """Phrases that more pictures show than the median phrase."""
    shown = {
        name: sum(bool(vocabulary.meant(each, name)) for each in pictures) for name in vocabulary.phrases
    }
    middle = float(np.median(list(shown.values()))) if shown else 0.0
    return frozenset(name for name, count in shown.items() if count > middle)


def point(picture: PromptedPicture, neutral: str, rng: np.random.Generator) -> Asked:
    """One click: on an object, or now and then on nothing."""
    seen = np.stack([each.mask for each in picture.objects])
    nothing = ~seen.any(axis=0)
    missed = rng.random() < _MISSED_CLICKS and bool(nothing.any())
    number = int(rng.integers(len(seen)))
    rows, columns = np.nonzero(nothing if missed else seen[number])
    place = int(rng.integers(len(rows)))
    height, width = seen.shape[1:]
    x, y = (columns[place] + 0.5) / width, (rows[place] + 0.5) / height
    prompt = Prompt(neutral, points=np.asarray([[x, y, 1]], np.float32))
    return Asked(prompt, "click", () if missed else (number,))


def box(picture: PromptedPicture, neutral: str, rng: np.random.Generator) -> Asked:
    """The box of an object, each side moved by up to a tenth of its length."""
    number = int(rng.integers(len(picture.objects)))
    mask = picture.objects[number].mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    size = np.asarray([mask.shape[1], mask.shape[0]] * 2, np.float64)
    edges = np.asarray([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / size
    sides = np.tile(edges[2:] - edges[:2], 2)
    moved: NDArray[np.float64] = np.clip(edges + rng.uniform(-0.1, 0.1, 4) * sides, 0, 1)
    return Asked(Prompt(neutral, box=moved.astype(np.float32)), "click", (number,))
