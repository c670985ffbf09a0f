"""Batches of prompted pictures: drawn, blanked, asked, answered by the teacher, and laid out as tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deploy.contracts.preprocess import Preprocess
from deploy.prompts.types import Answer, Answerer, PromptedPicture
from training.distill.asked import Asked
from training.distill.blank import emptied, noise
from training.distill.clips import Fate, make_clip
from training.distill.encode import encode_prompts
from training.distill.objective import Count
from training.distill.pool import PromptPool, mirrored
from training.distill.prompts import PromptSampler
from training.distill.settings import PromptableOptions
from training.distill.shares import count_asked
from training.text.protocol import Tokenizer

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class PromptedBatches:
    """Everything random in a sample comes from a stream of its own, so that a part of a batch is the same
    whoever draws it.

    Args:
        pool: the pictures.
        spec: how they become the model's input.
        options: shares, prompts a picture, points.
        sampler: draws the prompts.
        tokenizer: the student's.
        teacher: ``None`` to learn from the truth alone; else its answers are part of the batch.
        features: the teacher's features of a picture, float32 (D, h, w); ``None`` for none.
        count: takes what should be seen in the metrics.
    """

    def __init__(
        self,
        pool: PromptPool,
        spec: Preprocess,
        options: PromptableOptions,
        sampler: PromptSampler,
        tokenizer: Tokenizer,
        teacher: Answerer | None,
        features: Features | None,
        count: Count,
    ) -> None:
        self._pool, self._spec, self._options = pool, spec, options
        self._sampler, self._tokenizer, self._teacher = sampler, tokenizer, teacher
        self._features, self._count = features, count

    def draw(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> dict[str, Tensor]:
        """``image`` float32 (B, 3, S, S); ``ids`` int64 (N, L), ``points`` float32 (N, K, 3) and ``box``
        float32 (N, 5) of the N = B * P prompts, picture by picture; ``truth`` bool (N, T, S, S) and
        ``objects`` int64 (N,), how many of the T are real; and of a teacher ``teacher_masks`` float32
        (N, U, h, w), ``teacher_scores`` (N, U), ``teacher_presence`` (N,) and ``teacher_features``."""
        streams = rng.spawn(len(indices))
        pictures = [
            self._picture(int(index), stream)
            for index, stream in zip(indices[part], streams[part], strict=True)
        ]
        asked: list[list[Asked]] = []
        for picture, stream in zip(pictures, streams[part], strict=True):
            asked.append(self._ask(picture, stream))
        batch = self._inputs(pictures, asked) | self._truth(pictures, asked)
        if self._teacher is not None:
            batch |= stack_answers(self._taught(pictures, asked, self._teacher))
        if self._features is not None:
            maps = np.stack([self._features(picture.image) for picture in pictures])
            batch["teacher_features"] = torch.from_numpy(maps)
        return batch

    def clips(
        self,
        indices: NDArray[np.int64],
        rng: np.random.Generator,
        part: slice,
        frames: int,
        shares: Mapping[Fate, float],
    ) -> dict[str, Tensor]:
        """Clips that begin with the pictures: ``frames`` float32 (F, B, 3, S, S); ``ids``, ``points`` and
        ``box`` as in ``draw``, asked about the first frame; ``truth`` bool (F, N, T, S, S) and ``objects``
        int64 (F, N) of every frame; a teacher's answers with F in front as well.

        Args:
            indices: int64 (B,) of the whole batch.
            rng: of the step.
            part: which of them.
            frames: frames of a clip.
            shares: how many clips are ``frozen`` or ``vanish``; the others move.
        """
        made: list[list[PromptedPicture]] = []
        asked: list[list[Asked]] = []
        for index, stream in zip(indices[part], rng.spawn(len(indices))[part], strict=True):
            picture = self._picture(int(index), stream)
            asked.append(self._ask(picture, stream))
            fates: list[Fate] = ["frozen", "vanish", "moving"]
            odds = [shares["frozen"], shares["vanish"], 1 - shares["frozen"] - shares["vanish"]]
            made.append(make_clip(picture, frames, fates[int(stream.choice(3, p=odds))], stream))
        shown = [clip[number] for number in range(frames) for clip in made]
        again = [
            [replace(one, objects=self._sampler.meant(clip[number], one)) for one in mine]
            for number in range(frames)
            for clip, mine in zip(made, asked, strict=True)
        ]
        every = self._truth(shown, again)
        if self._teacher is not None:
            every |= stack_answers(self._taught(shown, again, self._teacher))
        inputs = self._inputs([clip[0] for clip in made], asked)
        del inputs["image"]
        images = normalised(np.stack([picture.image for picture in shown]), self._spec)
        answers = {name: value.reshape(frames, -1, *value.shape[1:]) for name, value in every.items()}
        return inputs | answers | {"frames": images.reshape(frames, -1, *images.shape[1:])}

    def _ask(self, picture: PromptedPicture, rng: np.random.Generator) -> list[Asked]:
        """The prompts of one picture, counted."""
        asked = self._sampler.draw(picture, self._options.prompts, rng)
        for name, amount in count_asked(asked).items():
            self._count(name, amount)
        return asked

    def _taught(
        self, pictures: Sequence[PromptedPicture], asked: Sequence[Sequence[Asked]], teacher: Answerer
    ) -> list[Answer]:
        """The teacher's answers; a picture without objects is answered by the truth, which is certain."""
        nothing = Answer(np.zeros((0, 1, 1), np.float32), np.zeros(0, np.float32), 0.0)
        answers: list[Answer] = []
        for picture, mine in zip(pictures, asked, strict=True):
            if picture.objects:
                answers += teacher.answer(picture.image, [each.prompt for each in mine])
            else:
                answers += [nothing] * len(mine)
        return answers

    def _picture(self, index: int, rng: np.random.Generator) -> PromptedPicture:
        """The picture itself, mirrored or blanked by the stated shares."""
        picture, fate = self._pool.pictures[index], rng.random()
        self._count("pictures_all", 1)
        if self._options.mirror and rng.random() < 0.5:
            picture = mirrored(picture)
        if fate < self._options.empty:
            self._count("pictures_empty", 1)
            return emptied(picture, rng)
        if fate < self._options.empty + self._options.noise:
            self._count("pictures_noise", 1)
            return noise(picture, rng)
        return picture

    def _inputs(
        self, pictures: Sequence[PromptedPicture], asked: Sequence[Sequence[Asked]]
    ) -> dict[str, Tensor]:
        prompts = [each.prompt for mine in asked for each in mine]
        ids, points, box = encode_prompts(prompts, self._tokenizer, self._options.points)
        images = np.stack([picture.image for picture in pictures])
        return {
            "image": normalised(images, self._spec),
            "ids": torch.from_numpy(ids),
            "points": torch.from_numpy(points),
            "box": torch.from_numpy(box),
        }

    def _truth(
        self, pictures: Sequence[PromptedPicture], asked: Sequence[Sequence[Asked]]
    ) -> dict[str, Tensor]:
        wanted = [(picture, each) for picture, mine in zip(pictures, asked, strict=True) for each in mine]
        most = max(1, *(len(each.objects) for _, each in wanted))
        truth = np.zeros((len(wanted), most, self._spec.height, self._spec.width), np.bool_)
        for row, (picture, each) in zip(truth, wanted, strict=True):
            for slot, number in zip(row, each.objects, strict=False):
                slot[:] = picture.objects[number].mask
        counts = np.asarray([len(each.objects) for _, each in wanted], np.int64)
        return {"truth": torch.from_numpy(truth), "objects": torch.from_numpy(counts)}


def normalised(images: NDArray[np.uint8], spec: Preprocess) -> Tensor:
    """Uint8 (B, S, S, 3) RGB to float32 (B, 3, S, S), as ``deploy.vision.preprocess.prepare`` does."""
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    values = (torch.from_numpy(images).float() / spec.divisor - mean) / std
    return values.permute(0, 3, 1, 2).contiguous()


def stack_answers(answers: Sequence[Answer]) -> dict[str, Tensor]:
    """Answers of different numbers of queries and resolutions as ``teacher_masks``, ``teacher_scores`` and
    ``teacher_presence``; missing queries score 0, and masks are brought to the largest resolution."""
    most = max(1, *(len(answer.masks) for answer in answers))
    size = max((answer.masks.shape[1:] for answer in answers if len(answer.masks)), default=(1, 1))
    masks = np.full((len(answers), most, *size), -10.0, np.float32)
    scores = np.zeros((len(answers), most), np.float32)
    for row, line, answer in zip(masks, scores, answers, strict=True):
        line[: len(answer.scores)] = answer.scores
        for slot, mask in zip(row, answer.masks, strict=False):
            slot[:] = mask if mask.shape == size else cv2.resize(mask, size[::-1])
    presence = np.asarray([answer.presence for answer in answers], np.float32)
    return {
        "teacher_masks": torch.from_numpy(masks),
        "teacher_scores": torch.from_numpy(scores),
        "teacher_presence": torch.from_numpy(presence),
    }
