"""Which prompts an evaluation asks of which picture, fixed before any model is asked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import PromptSampling
from deploy.errors import DeployError
from deploy.metrics.promptable.records import Group
from deploy.metrics.promptable.truth import truth_masks
from deploy.prompts.hashing import PromptLedger
from deploy.prompts.types import Prompt, PromptedPicture, Vocabulary, World


@dataclass(frozen=True)
class PlannedPrompt:
    """A prompt, why it is asked, and the indices of the objects that it means."""

    prompt: Prompt
    group: Group
    meant: tuple[int, ...]


@dataclass(frozen=True)
class PicturePlan:
    """The prompts of picture ``index`` of a world."""

    index: int
    prompts: tuple[PlannedPrompt, ...]


@dataclass(frozen=True)
class Plan:
    """All prompts of an evaluation; ``ledger`` holds their counts and hashes."""

    pictures: tuple[PicturePlan, ...]
    ledger: PromptLedger


def make_plan(world: World, rule: PromptSampling, limit: int | None = None) -> Plan:
    """Choose prompts for every picture, the same for the same world, rule and limit.

    Phrases of things that are there, up to a cap; hard negatives: absent phrases that share a telling word
    with a present one (``red ring`` beside a red disc), then absent ones that are frequent in this world;
    plain absent ones; a point deep inside, and the box around, some true objects.

    Args:
        world: pictures and vocabulary; every picture is read once.
        rule: how many of each.
        limit: ask only so many pictures, evenly spread.

    Raises:
        DeployError: ``NOTHING-TO-ASK``, ``TRUTH-NOT-BOOLEAN``, ``TRUTH-BROKEN``.
    """
    count = len(world) if limit is None else min(limit, len(world))
    indices = [number * len(world) // count for number in range(count)]
    frequency: Counter[str] = Counter()
    for index in indices:
        frequency.update(_present(world.vocabulary, world.picture(index)))
    ledger = PromptLedger()
    pictures = []
    for index in indices:
        picture = world.picture(index)
        truth_masks(picture, range(len(picture.objects)))
        prompts = (
            *_phrases(world.vocabulary, picture, rule, frequency),
            *_geometry(world.vocabulary, picture, rule),
        )
        ledger.enter(picture.image, [each.prompt for each in prompts])
        pictures.append(PicturePlan(index, prompts))
    if not any(plan.prompts for plan in pictures):
        raise DeployError(
            "NOTHING-TO-ASK",
            f"No prompt can be asked of these {count} pictures.",
            "Use a world with phrases or objects, and a sampling that asks for some of them.",
        )
    return Plan(tuple(pictures), ledger)


def _phrases(
    vocabulary: Vocabulary, picture: PromptedPicture, rule: PromptSampling, frequency: Counter[str]
) -> list[PlannedPrompt]:
    present = _present(vocabulary, picture)
    absent = [each for each in vocabulary.phrases if each not in set(present)]
    known = _words([vocabulary.neutral])
    telling = _words(present) - known
    middle = float(np.median([frequency[each] for each in vocabulary.phrases])) if absent else 0.0
    alike = [each for each in absent if _words([each]) & telling]
    frequent = [each for each in absent if each not in alike and frequency[each] > middle]
    order = [_shuffled(part, rule.seed, picture.id) for part in (present, alike, frequent)]
    hard = (order[1] + order[2])[: rule.hard]
    plain = _shuffled([each for each in absent if each not in hard], rule.seed, picture.id)[: rule.absent]
    chosen: list[tuple[str, Group]] = [(each, "present") for each in order[0][: rule.present]]
    chosen += [(each, "hard") for each in hard]
    chosen += [(each, "absent") for each in plain]
    return [PlannedPrompt(Prompt(text), group, vocabulary.meant(picture, text)) for text, group in chosen]


def _geometry(vocabulary: Vocabulary, picture: PromptedPicture, rule: PromptSampling) -> list[PlannedPrompt]:
    numbers = [str(number) for number in range(len(picture.objects))]
    order = [int(each) for each in _shuffled(numbers, rule.seed, picture.id)]
    found = []
    for number in order[: rule.points]:
        point = deepest_point(picture.objects[number].mask)
        found.append(PlannedPrompt(Prompt(vocabulary.neutral, points=point), "present", (number,)))
    for number in order[: rule.boxes]:
        box = tight_box(picture.objects[number].mask)
        found.append(PlannedPrompt(Prompt(vocabulary.neutral, box=box), "present", (number,)))
    return found


def deepest_point(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The pixel farthest from the mask's edge: float32 (1, 3), x and y in 0..1 and 1 for "this"."""
    framed = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return np.array([[(column + 0.5) / mask.shape[1], (row + 0.5) / mask.shape[0], 1]], np.float32)


def tight_box(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The box around a mask's pixels: float32 (4,), x0, y0, x1, y1 in 0..1."""
    x, y, w, h = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    height, width = mask.shape
    return np.array([x / width, y / height, (x + w) / width, (y + h) / height], np.float32)


def _present(vocabulary: Vocabulary, picture: PromptedPicture) -> list[str]:
    there = {each.concept for each in picture.objects}
    return [phrase for phrase in vocabulary.phrases if vocabulary.meanings[phrase] & there]


def _words(phrases: Iterable[str]) -> set[str]:
    return {word for phrase in phrases for word in phrase.split()}


def _shuffled(names: Sequence[str], seed: int, picture: str) -> list[str]:
    """An order that depends on seed, picture and name alone."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}\0{picture}\0{name}".encode()).digest())
