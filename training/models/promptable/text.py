"""The text encoder: token ids in, one embedding a phrase out; phrases can be encoded once and shipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.promptable.layers import Attention, Mlp

_SHUT = -1e4
"""Added to the scores of padding: as good as minus infinity, and a number in fp16."""


class _Layer(nn.Module):
    """Self-attention and a small MLP, each after a layer norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = Mlp(width, 2 * width, width)

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """Float (N, L, D) to float (N, L, D)."""
        calm = self.before(tokens)
        tokens = tokens + self.attention(calm, calm, calm, bias)
        return tokens + self.mlp(self.between(tokens))  # type: ignore[no-any-return]


class TextEncoder(nn.Module):
    """Embedding, transformer layers, the mean over what is no padding, a projection (as MobileCLIP's).

    Args:
        words: size of the vocabulary.
        length: tokens of a phrase, padding included.
        pad: id of the padding.
        width: channels inside.
        layers: transformer layers.
        heads: attention heads.
        out: channels of the embedding.
    """

    def __init__(
        self, words: int, length: int, pad: int, width: int, layers: int, heads: int, out: int
    ) -> None:
        super().__init__()
        self.pad = pad
        self.embedding = nn.Embedding(words, width)
        self.place = nn.Parameter(torch.randn(1, length, width) * 0.02)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, out)

    def forward(self, ids: Tensor) -> Tensor:
        """Integer (N, L) token ids to prompt embeddings, float (N, D)."""
        said = (ids != self.pad).to(self.place.dtype)  # (N, L)
        bias = ((1 - said) * _SHUT)[:, None, None, :]
        tokens = self.embedding(ids) + self.place
        for layer in self.layers:
            tokens = layer(tokens, bias)
        share = said / said.sum(dim=1, keepdim=True).clamp(min=1)
        pooled = (self.norm(tokens) * share[:, :, None]).sum(dim=1)
        return self.projection(pooled)  # type: ignore[no-any-return]
