"""The prompt encoder: a phrase's embedding, points and a box become the tokens that the decoder reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.promptable.layers import fourier, rates


class PromptEncoder(nn.Module):
    """One token for the phrase, one a point, two for the box's corners; what is absent has its own token.

    Args:
        width: channels of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", rates(width), persistent=False)
        self.norm = nn.LayerNorm(width)
        self.place = nn.Linear(width, width)
        self.point_kinds = nn.Parameter(torch.randn(3, width) * 0.5)  # absent, not this, this
        self.corner_kinds = nn.Parameter(torch.randn(2, 2, width) * 0.5)  # absent or there, first or last

    def forward(self, text: Tensor, points: Tensor, box: Tensor) -> Tensor:
        """All prompts of a call as tokens.

        Args:
            text: float (N, D), from the text encoder.
            points: float (N, K, 3): x, y in 0..1; 1 this, 0 not this, -1 absent.
            box: float (N, 5): x0, y0, x1, y1 in 0..1; 1 there, 0 absent.

        Returns:
            float (N, 1 + K + 2, D).
        """
        label = points[..., 2:]
        there = (label > -0.5).to(text.dtype)
        this = (label > 0.5).to(text.dtype)
        kinds = self.point_kinds
        kind = (1 - there) * kinds[0] + (there - this) * kinds[1] + this * kinds[2]
        spots = kind + there * self.place(fourier(points[..., :2], self.frequencies))
        given = box[:, None, 4:]  # (N, 1, 1)
        corners = torch.stack([box[:, 0:2], box[:, 2:4]], dim=1)  # (N, 2, 2)
        edges = (1 - given) * self.corner_kinds[0] + given * (
            self.corner_kinds[1] + self.place(fourier(corners, self.frequencies))
        )
        return torch.cat([self.norm(text)[:, None], spots, edges], dim=1)
