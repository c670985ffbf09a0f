"""A promptable module in memory as something that answers prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.contracts.preprocess import Preprocess
from deploy.contracts.prompts import TokenizerFacts
from deploy.prompts.types import Answer, Prompt, PromptKind
from deploy.vision.preprocess import prepare
from training.distill.encode import encode_prompts
from training.text.protocol import Tokenizer


class ModuleAnswerer:
    """See ``deploy.prompts.types.Answerer``. ``tokenizer_facts`` and ``sha256``: its tokenizer and its
    weights, where they come from a run.

    Args:
        module: a ``Promptable`` in evaluation mode.
        spec: the picture input.
        tokenizer: the module's own.
        kinds: what it was trained to answer.
        name: for reports.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: Preprocess,
        tokenizer: Tokenizer,
        kinds: Iterable[PromptKind],
        name: str,
    ) -> None:
        self._module: Any = module
        self._spec, self._tokenizer = spec, tokenizer
        self.tokenizer_facts: TokenizerFacts | None = None
        self.sha256: str | None = None
        self.kinds, self.name = frozenset(kinds), name

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt; ``image`` is uint8 (H, W, 3) RGB."""
        tensor, _ = prepare(image, self._spec)
        arrays = encode_prompts(prompts, self._tokenizer, self._module.points)
        with torch.inference_mode():
            found = self._module(torch.from_numpy(tensor), *map(torch.from_numpy, arrays))
        masks, presence = found.masks.float().numpy(), found.presence[:, 0].sigmoid().numpy()
        scores = found.scores.sigmoid().numpy()
        return [
            Answer(mask, score, float(chance))
            for mask, score, chance in zip(masks, scores, presence, strict=True)
        ]

    def features(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The picture's features, float32 (D, h, w), for a student to be aligned with."""
        tensor, _ = prepare(image, self._spec)
        with torch.inference_mode():
            maps: NDArray[np.float32] = self._module.image(torch.from_numpy(tensor))[0].float().numpy()
        return maps
