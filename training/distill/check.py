"""Validation of a promptable run: mask IoU over the true objects, and presence on yes and no."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.prompts.types import Answer, Answerer, Prompt, World

_SURE = 0.5


def check(answerer: Answerer, world: World) -> dict[str, float]:
    """Ask every phrase of every picture.

    Returns:
        ``miou``: mean IoU over true objects, a missed one counting 0; ``presence_f1`` and ``presence_mcc``
        (Matthews 1975), 0 where they are not defined, which a validation side with both yes and no never
        shows; ``quality``: the mean of ``miou`` and ``presence_mcc``, which picks the best epoch, because
        masks alone cannot see a model that says yes to everything. ``deploy verify`` gives the figures to
        report.
    """
    overlaps: list[float] = []
    table = np.zeros((2, 2), np.int64)  # true, said
    phrases = world.vocabulary.phrases
    for index in range(len(world)):
        picture = world.picture(index)
        answers = answerer.answer(picture.image, [Prompt(text) for text in phrases])
        for text, answer in zip(phrases, answers, strict=True):
            meant = world.vocabulary.meant(picture, text)
            table[int(bool(meant)), int(answer.presence >= _SURE)] += 1
            overlaps += object_overlaps(answer, [picture.objects[number].mask for number in meant])
    return figures_of(overlaps, table)


def figures_of(overlaps: Sequence[float], table: NDArray[np.int64]) -> dict[str, float]:
    """The figures of ``check``: from IoUs of true objects, and counts int64 (2, 2) by true and said."""
    (no, false), (missed, yes) = table.tolist()
    miou = float(np.mean(overlaps)) if overlaps else 0.0
    below = math.sqrt(float((yes + false) * (yes + missed) * (no + false) * (no + missed)))
    mcc = (yes * no - false * missed) / below if below else 0.0
    f1 = 2 * yes / (2 * yes + false + missed) if yes else 0.0
    return {"miou": miou, "presence_f1": f1, "presence_mcc": mcc, "quality": (miou + mcc) / 2}


def object_overlaps(answer: Answer, truth: Sequence[NDArray[np.bool_]]) -> list[float]:
    """IoU of every true mask with the kept query that the best assignment gives it, 0 when none."""
    found = [0.0] * len(truth)
    kept = np.flatnonzero(answer.scores >= _SURE) if answer.presence >= _SURE else np.zeros(0, np.int64)
    if not truth or not len(kept):
        return found
    from scipy.optimize import linear_sum_assignment

    height, width = truth[0].shape
    masks = np.stack([cv2.resize(answer.masks[query], (width, height)) > 0 for query in kept])
    wanted = np.stack(truth)
    both = np.einsum("qhw,thw->qt", masks.astype(np.float32), wanted.astype(np.float32))
    either = masks.sum(axis=(1, 2))[:, None] + wanted.sum(axis=(1, 2))[None] - both
    overlap = both / np.maximum(either, 1)
    for query, thing in zip(*linear_sum_assignment(-overlap), strict=True):
        found[thing] = float(overlap[query, thing])
    return found
