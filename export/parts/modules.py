"""The three parts of a promptable segmenter as modules of their own, with the doors that phones see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from deploy.contracts.bundle import PartRole
from training.models.promptable.layers import fourier

SHUT = -1e4
"""Added to the scores of padding, as the text encoder does; a number in fp16."""


class ImagePart(nn.Module):
    """A picture to its features, which any number of prompts are asked about."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.image = whole.image

    def forward(self, image: Tensor) -> Tensor:
        """Float (1, 3, S, S), normalised, to float (1, D, h, w)."""
        return self.image(image)  # type: ignore[no-any-return]


class TextPart(nn.Module):
    """Token ids to the phrase's embedding: ``TextEncoder`` without a comparison.

    Which ids are padding is looked up in a table of floats: of a comparison's result turned to float, ONNX's
    and XNNPACK's fp16 keep an fp32 island that their converters then refuse.
    """

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.text = whole.text
        said = torch.ones(self.text.embedding.num_embeddings, 1)
        said[self.text.pad] = 0
        self.said: Tensor
        self.register_buffer("said", said)

    def forward(self, ids: Tensor) -> Tensor:
        """Int32 (1, L) to float (1, D)."""
        text = self.text
        said = functional.embedding(ids, self.said)  # (1, L, 1)
        bias = ((1 - said) * SHUT).transpose(1, 2)[:, None]
        tokens = text.embedding(ids) + text.place
        for layer in text.layers:
            tokens = layer(tokens, bias)
        count = torch.relu(said.sum(dim=1) - 1) + 1  # at least 1; a clamp with one end has no fp16 in ONNX
        pooled = (text.norm(tokens) * said).sum(dim=1) / count
        return text.projection(pooled)  # type: ignore[no-any-return]


class PlacePart(nn.Module):
    """Points, a box and an embedding to tokens: ``PromptEncoder`` by arithmetic, for the same reason."""

    def __init__(self, prompt: Any) -> None:
        super().__init__()
        self.prompt = prompt

    def forward(self, text: Tensor, points: Tensor, box: Tensor) -> Tensor:
        """As ``training.models.promptable.prompt.PromptEncoder.forward``."""
        whole = self.prompt
        label = points[..., 2:]  # -1, 0 or 1
        there, this = (label + 1).clamp(0, 1), label.clamp(0, 1)
        kinds = whole.point_kinds
        kind = (1 - there) * kinds[0] + (there - this) * kinds[1] + this * kinds[2]
        spots = kind + there * whole.place(fourier(points[..., :2], whole.frequencies))
        given = box[:, None, 4:]
        corners = torch.stack([box[:, 0:2], box[:, 2:4]], dim=1)
        there_kinds = whole.corner_kinds[1] + whole.place(fourier(corners, whole.frequencies))
        edges = (1 - given) * whole.corner_kinds[0] + given * there_kinds
        return torch.cat([whole.norm(text)[:, None], spots, edges], dim=1)


class DecoderPart(nn.Module):
    """Features and a prompt to masks, with the prompt encoder inside, so that a phone needs no fourth file.

    Scores and presence leave as probabilities: of a logit near 0 a comparison in decibels says nothing.
    """

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.prompt, self.decoder = PlacePart(whole.prompt), whole.decoder

    def forward(self, features: Tensor, text: Tensor, points: Tensor, box: Tensor) -> tuple[Tensor, ...]:
        """Answer one prompt about one picture.

        Args:
            features: float (1, D, h, w).
            text: float (1, D), the phrase's embedding.
            points: float (1, K, 3): x, y in 0..1; 1 this, 0 not this, -1 absent.
            box: float (1, 5): x0, y0, x1, y1 in 0..1; 1 there, 0 absent.

        Returns:
            masks, float (1, Q, h, w) logits; scores, float (1, Q) in 0..1; presence, float (1, 1) in 0..1.
        """
        found = self.decoder(features, self.prompt(text, points, box))
        return found.masks, found.scores.sigmoid(), found.presence.sigmoid()


PART_MODULES: dict[PartRole, type[nn.Module]] = {
    "image_encoder": ImagePart,
    "text_encoder": TextPart,
    "mask_decoder": DecoderPart,
}
