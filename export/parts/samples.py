"""Real samples of every part: phrases of the contract, and features of real pictures by the fp32 model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.bundle import PartRole
from deploy.prompts.types import Prompt
from deploy.vision.preprocess import prepare
from export.parts.run import PromptableRun
from export.samples import Picture, spread
from training.data.samples import EvaluationSample

_MOST_PHRASES = 16
_SPOTS = (0.1, 0.3, 0.5, 0.7, 0.9)
_SIDES = (0.25, 0.5)


def part_samples(
    role: PartRole, run: PromptableRun, chosen: Sequence[EvaluationSample], count: int
) -> tuple[Picture, ...]:
    """At most ``count`` samples of a part.

    A decoder's prompt is the one, of its kind, of which the fp32 model is surest on that picture: where it
    says nothing there is nothing to compare.

    Args:
        role: the part.
        run: the loaded run.
        chosen: real pictures.
        count: how many are wanted; phrases are spread over the contract's.
    """
    if role == "text_encoder":
        phrases = run.phrases
        return tuple(
            Picture(phrases[number], None, {"ids": run.ids([phrases[number]])}, None)
            for number in spread(len(phrases), count)
        )
    pictures = []
    for number, sample in enumerate(chosen):
        tensor, geometry = prepare(sample.image, run.checkpoint.preprocess)
        if role == "image_encoder":
            name = run.checkpoint.preprocess.input_name
            pictures.append(Picture(sample.id, sample.image, {name: tensor}, geometry))
            continue
        kind = run.contract.kinds[-1 - number % len(run.contract.kinds)]  # text first: the kinds are sorted
        pictures.append(Picture(sample.id, None, _surest(run, tensor, _candidates(run, kind)), None))
    return tuple(pictures)


def _candidates(run: PromptableRun, kind: str) -> list[Prompt]:
    """Prompts of one kind that could be asked about any picture."""
    neutral = run.contract.neutral
    if kind == "text":
        chosen = spread(len(run.contract.phrases), _MOST_PHRASES)
        return [Prompt(run.contract.phrases[number]) for number in chosen]
    places = list(itertools.product(_SPOTS, _SPOTS))
    if kind == "point":
        return [Prompt(neutral, points=np.asarray([[x, y, 1]], np.float32)) for x, y in places]
    boxes = [(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y in places for side in _SIDES]
    return [Prompt(neutral, box=np.clip(np.asarray(box, np.float32), 0, 1)) for box in boxes]


def _surest(
    run: PromptableRun, tensor: NDArray[np.float32], prompts: Sequence[Prompt]
) -> dict[str, NDArray[np.generic]]:
    """The decoder's inputs for the prompt with the highest presence."""
    import torch

    module: Any = run.module
    ids, points, boxes = run.encode(prompts)
    with torch.inference_mode():
        features = module.image(torch.from_numpy(tensor))
        texts = module.text(torch.from_numpy(ids))
        spots, corners = torch.from_numpy(points), torch.from_numpy(boxes)
        many = features.expand(len(prompts), -1, -1, -1)
        best = int(module.decoder(many, module.prompt(texts, spots, corners)).presence.argmax())
    one = slice(best, best + 1)
    return {
        "features": features.numpy(),
        "text": texts[one].numpy(),
        "points": points[one],
        "box": boxes[one],
    }
