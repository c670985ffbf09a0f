"""The chain's two timed stages, and how an answer becomes one mask; shared by verify and the bench."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import PromptThresholds
from deploy.metrics.promptable.answers import resized
from deploy.prompts.types import Answer
from deploy.runtimes.protocol import Runtime

FEATURES = "features"
"""The image encoder's output and the mask decoder's input."""


class Stages:
    """A loaded image encoder and mask decoder.

    Args:
        encoder: takes the prepared picture, gives ``features``.
        decoder: takes ``features``, ``text``, ``points`` and ``box``, gives ``masks``, ``scores`` and
            ``presence``.
        picture: name of the encoder's input.
    """

    def __init__(self, encoder: Runtime, decoder: Runtime, picture: str) -> None:
        self._encoder, self._decoder, self._picture = encoder, decoder, picture

    def encode(self, tensor: NDArray[np.float32]) -> NDArray[np.generic]:
        """A prepared picture, float32 (1, C, H, W), to its features, float32 (1, D, h, w)."""
        return self._encoder.run({self._picture: tensor})[FEATURES]

    def decode(
        self,
        features: NDArray[np.generic],
        text: NDArray[np.float32],
        points: NDArray[np.float32],
        box: NDArray[np.float32],
    ) -> Answer:
        """One prompt about one picture.

        Args:
            features: float32 (1, D, h, w).
            text: float32 (1, D), the phrase's embedding.
            points: float32 (1, K, 3), as ``deploy.prompts.encode.encode_places`` gives them.
            box: float32 (1, 5), likewise.
        """
        found = self._decoder.run({FEATURES: features, "text": text, "points": points, "box": box})
        scores = np.clip(np.asarray(found["scores"][0], np.float32), 0, 1)
        presence = float(np.clip(found["presence"][0, 0], 0, 1))
        return Answer(np.asarray(found["masks"][0], np.float32), scores, presence)


def foreground(answer: Answer, size: tuple[int, int], rules: PromptThresholds) -> NDArray[np.bool_]:
    """Everything that an answer stands by as one mask, bool (H, W): nothing where it says that nothing is
    there, else the kept queries' logits, resized and cut, together.

    Args:
        answer: to one prompt.
        size: the picture's height and width.
        rules: from where on what counts.
    """
    whole = np.zeros(size, np.bool_)
    if answer.presence < rules.presence:
        return whole
    for logits in answer.masks[answer.scores >= rules.score]:
        whole |= resized(logits, size) > rules.mask_logit
    return whole
