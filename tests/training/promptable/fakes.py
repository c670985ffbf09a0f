"""Answerers without a net: one that reads the truth, and others with the faults of real projects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.prompts.types import Answer, Prompt, PromptKind, World
from deploy.vision.images import pixel_digest
from training.evaluation.oracle import TruthOracle

EVERY: frozenset[PromptKind] = frozenset({"text", "point", "box"})


class Reader:
    """Reads the truth of the picture that it is shown; ``blur``: how often a pixel or a presence is wrong."""

    def __init__(
        self,
        world: World,
        name: str = "reader",
        blur: float = 0.0,
        kinds: frozenset[PromptKind] = EVERY,
    ) -> None:
        self.name, self.kinds, self._blur = name, kinds, blur
        self._oracle = TruthOracle(world.vocabulary)
        self._pictures = {
            pixel_digest(picture.image): picture for picture in map(world.picture, range(len(world)))
        }

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        self._oracle.show(self._pictures[pixel_digest(image)])
        return [self._one(image, prompt) for prompt in prompts]

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        answer = self._oracle.answer(image, [prompt])[0]
        if not self._blur:
            return answer
        seed = hashlib.sha256(self.name.encode() + image.tobytes() + repr(prompt).encode()).digest()
        rng = np.random.default_rng(list(seed))
        masks = np.where(rng.random(answer.masks.shape) < self._blur, -answer.masks, answer.masks)
        presence = 1 - answer.presence if rng.random() < self._blur else answer.presence
        return Answer(masks.astype(np.float32), answer.scores, presence)


@dataclass
class Constant:
    """The same answer to everything: a square in the middle, with a presence."""

    presence: float = 1.0
    name: str = "constant"
    kinds: frozenset[PromptKind] = EVERY

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        masks = np.full((5, 8, 8), -4, np.float32)
        masks[0, 2:6, 2:6] = 4
        return [
            Answer(masks, np.array([0.9, 0.1, 0.1, 0.1, 0.1], np.float32), self.presence) for _ in prompts
        ]


class Blind(Reader):
    """Segments everything, whatever was asked: the prompt is not used. Presence is right on pictures."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        return super()._one(image, Prompt("shape"))


class AlwaysPresent(Reader):
    """Right masks; where nothing is to be found it finds the picture's first object all the same."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        found = super()._one(image, prompt)
        if not len(found.scores):
            found = super()._one(image, Prompt("shape"))
        return Answer(found.masks, found.scores, 1.0)


class NeverPresent(Reader):
    """Right masks, and a presence head that says "absent" to everything."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        found = super()._one(image, prompt)
        return Answer(found.masks, found.scores, 0.1)


class Grabby(Reader):
    """A hundred queries, all of them kept: those without an object say a little of everything."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        found = super()._one(image, prompt)
        masks = np.full((100, *image.shape[:2]), -4, np.float32)
        masks[: len(found.masks)] = found.masks
        for row in range(len(found.masks), 100):
            masks[row, row % image.shape[0]] = 4
        return Answer(masks, np.full(100, 0.8, np.float32), found.presence)


class FewQueries(Reader):
    """One query only, however many objects there are."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        found = super()._one(image, prompt)
        masks = np.concatenate([found.masks, np.full((1, *image.shape[:2]), -4, np.float32)])
        scores = np.concatenate([found.scores, np.zeros(1, np.float32)])
        return Answer(masks[:1], scores[:1], found.presence)


class Noise(Reader):
    """Random masks, new for every prompt: sensitive to it, and selective of nothing."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        rng = np.random.default_rng(list(hashlib.sha256(image.tobytes() + repr(prompt).encode()).digest()))
        masks = rng.normal(0, 4, (5, 16, 16)).astype(np.float32)
        return Answer(masks, rng.random(5).astype(np.float32), float(rng.random()))


class Squashed(Reader):
    """Gives probabilities where logits are demanded."""

    def _one(self, image: NDArray[np.uint8], prompt: Prompt) -> Answer:
        found = super()._one(image, prompt)
        return Answer(1 / (1 + np.exp(-found.masks)), found.scores, found.presence)
