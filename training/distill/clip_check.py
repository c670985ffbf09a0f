"""Validation of a video run: masks and presence on moving clips, steadiness on frozen ones, vanishing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import nn

from deploy.contracts.preprocess import Preprocess
from deploy.prompts.types import Answer, Prompt, PromptedPicture, World
from deploy.vision.preprocess import prepare
from training.distill.check import figures_of, object_overlaps
from training.distill.clips import Fate, make_clip
from training.distill.encode import encode_prompts
from training.text.protocol import Tokenizer

_FRAMES = 6
_FATES: tuple[Fate, ...] = ("moving", "frozen", "vanish")
_SURE = 0.5


def check_clips(module: nn.Module, spec: Preprocess, tokenizer: Tokenizer, world: World) -> dict[str, float]:
    """Ask every phrase of one clip a picture; fates take turns.

    Returns:
        ``miou``, ``presence_f1``, ``presence_mcc`` and ``quality`` over all frames, as ``check`` gives them;
        ``frozen_jitter``: mean of 1 - IoU of neighbouring frames' masks on frozen clips, where the truth's is
        0; ``vanish_missed``: share of phrases that were seen before the objects vanished and are still said
        to be there on the last frame.
    """
    overlaps: list[float] = []
    table = np.zeros((2, 2), np.int64)
    jitter: list[float] = []
    missed: list[bool] = []
    phrases = world.vocabulary.phrases
    for index in range(len(world)):
        fate = _FATES[index % len(_FATES)]
        clip = make_clip(world.picture(index), _FRAMES, fate, np.random.default_rng([index, 7]))
        watched = watch(module, spec, tokenizer, clip, [Prompt(text) for text in phrases])
        for number, text in enumerate(phrases):
            line = [answers[number] for answers in watched]
            for frame, answer in zip(clip, line, strict=True):
                meant = world.vocabulary.meant(frame, text)
                table[int(bool(meant)), int(answer.presence >= _SURE)] += 1
                overlaps += object_overlaps(answer, [frame.objects[each].mask for each in meant])
            if fate == "frozen" and world.vocabulary.meant(clip[0], text):
                jitter += _unsteadiness(line)
            if fate == "vanish" and line[0].presence >= _SURE:
                missed.append(line[-1].presence >= _SURE)
    return figures_of(overlaps, table) | {
        "frozen_jitter": float(np.mean(jitter)) if jitter else 0.0,
        "vanish_missed": float(np.mean(missed)) if missed else 0.0,
    }


def watch(
    module: nn.Module,
    spec: Preprocess,
    tokenizer: Tokenizer,
    clip: list[PromptedPicture],
    prompts: list[Prompt],
) -> list[list[Answer]]:
    """Answers a frame a prompt, each frame remembering the one before."""
    doors: Any = module
    frames = torch.from_numpy(np.stack([prepare(frame.image, spec)[0] for frame in clip]))
    arrays = encode_prompts(prompts, tokenizer, doors.points)
    with torch.inference_mode():
        found = doors.watch(frames, *map(torch.from_numpy, arrays))
    return [
        [
            Answer(mask, score, float(chance))
            for mask, score, chance in zip(
                each.masks.numpy(), each.scores.sigmoid().numpy(), each.presence[:, 0].sigmoid(), strict=True
            )
        ]
        for each in found
    ]


def _unsteadiness(line: list[Answer]) -> list[float]:
    """``1 - IoU`` of the kept masks' unions on neighbouring frames; two empty ones are steady."""
    unions = [
        (answer.masks[answer.scores >= _SURE] > 0).any(axis=0) & (answer.presence >= _SURE) for answer in line
    ]
    steps = []
    for one, two in itertools.pairwise(unions):
        either = int((one | two).sum())
        steps.append(1 - int((one & two).sum()) / either if either else 0.0)
    return steps
