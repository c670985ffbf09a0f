"""The mask decoder: features and prompt tokens in; masks, boxes, scores and presence out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.promptable.layers import Attention, ConvNorm, Mlp, grid


class Found(NamedTuple):
    """What the decoder says, all logits but the boxes.

    ``masks``: float (N, Q, h, w); ``scores``: float (N, Q); ``presence``: float (N, 1); ``boxes``: float
    (N, Q, 4), centre x, centre y, width, height in 0..1; ``semantic``: float (N, 1, h, w), the pixels of
    everything that is meant, which phones need not compute.
    """

    masks: Tensor
    scores: Tensor
    presence: Tensor
    boxes: Tensor
    semantic: Tensor


class _Layer(nn.Module):
    """Queries read each other and the prompt, then the picture, then think."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among, self.across = Attention(width, heads), Attention(width, heads)
        self.mlp = Mlp(width, 2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, queries: Tensor, tokens: Tensor, keys: Tensor, memory: Tensor) -> Tensor:
        """``queries``: float (N, Q, D); ``tokens``: (N, T, D); ``keys``, ``memory``: (N, M, D)."""
        both = torch.cat([queries, tokens], dim=1)
        queries = self.norms[0](queries + self.among(queries, both, both))
        queries = self.norms[1](queries + self.across(queries, keys, memory))
        return self.norms[2](queries + self.mlp(queries))  # type: ignore[no-any-return]


class MaskDecoder(nn.Module):
    """Every place of the picture reads the prompt and is scaled and shifted by what it read (FiLM, Perez et
    al. 2018); queries then read the picture. A query's mask is its embedding times the pixels (MaskFormer,
    Cheng et al. 2021). One query more looks for presence alone (as SAM 3's presence token); it also sees
    the strongest answer of any pixel, because one pixel is enough for something to be there.

    Args:
        width: channels of features and tokens.
        queries: objects that can be found in one answer.
        layers: decoder layers.
        heads: attention heads.
        side: height and width of the features.
        pool: prompts and queries meet the features at this fraction of their resolution.
    """

    def __init__(self, width: int, queries: int, layers: int, heads: int, side: int, pool: int) -> None:
        super().__init__()
        self.pool, self.count = pool, queries
        self.places: Tensor
        self.queries = nn.Parameter(torch.randn(1, queries + 1, width) * 0.5)
        self.reading = Attention(width, heads)
        self.film = nn.Conv2d(width, 2 * width, 1)
        self.mix = ConvNorm(width, width, kernel=1)
        self.semantic = nn.Conv2d(width, 1, 1)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.embed = Mlp(width, width, width)
        self.score = nn.Linear(width, 1)
        self.presence = Mlp(2 * width, width, 1)
        self.box = Mlp(width, width, 4)
        self.bias = nn.Parameter(torch.full((1,), -1.0))
        self.register_buffer("places", grid(side // pool, side // pool, width), persistent=False)

    def forward(self, features: Tensor, tokens: Tensor) -> Found:
        """``features``: float (N, D, h, w), one map a prompt; ``tokens``: float (N, T, D)."""
        count, _, height, breadth = features.shape
        maps = self._ask(features, tokens)
        memory = _flat(functional.avg_pool2d(maps, self.pool))
        keys = memory + self.places
        queries = self.queries.expand(count, -1, -1) + tokens[:, :1]
        for layer in self.layers:
            queries = layer(queries, tokens, keys, memory)
        objects, look = queries[:, : self.count], queries[:, self.count]
        embeddings = self.embed(objects) * (maps.shape[1] ** -0.5)
        masks = torch.matmul(embeddings, maps.flatten(2)) + self.bias
        return Found(
            masks.reshape(count, self.count, height, breadth),
            self.score(objects).squeeze(2),
            self.presence(torch.cat([look, maps.amax(dim=(2, 3))], dim=1)),
            self.box(objects).sigmoid(),
            self.semantic(maps),
        )

    def _ask(self, features: Tensor, tokens: Tensor) -> Tensor:
        """The features as the prompt sees them: float (N, D, h, w)."""
        height, breadth = features.shape[2] // self.pool, features.shape[3] // self.pool
        coarse = _flat(functional.avg_pool2d(features, self.pool)) + self.places
        # The phrase goes straight to the film as well: through the attention alone it starts at a fiftieth.
        read = (tokens[:, :1] + self.reading(coarse, tokens, tokens)).transpose(1, 2)
        film = self.film(read.reshape(read.shape[0], -1, height, breadth))
        film = functional.interpolate(
            film, scale_factor=float(self.pool), mode="bilinear", align_corners=False
        )
        scale, shift = film.chunk(2, dim=1)
        asked = features * (1 + scale) + shift
        return asked + self.mix(asked)  # type: ignore[no-any-return]


def _flat(maps: Tensor) -> Tensor:
    """Float (N, D, h, w) to (N, h * w, D)."""
    return maps.flatten(2).transpose(1, 2)
