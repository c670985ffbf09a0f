"""Memory between frames: what was seen and answered one frame ago is read by the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.models.promptable.decoder import Found
from training.models.promptable.layers import Attention, grid


class Memory(nn.Module):
    """``write`` keeps a frame's features and its answer, ``read`` lets the next frame look at them; one
    memory a prompt, because the answer is part of it. Two doors, so that each can be exported on its own.

    The last layer starts at zero: a new memory changes nothing, and an image model stays what it was until
    video has taught it otherwise.

    Args:
        width: channels of the features.
        heads: attention heads.
        side: height and width of the features.
        pool: memory is kept and read at this fraction of their resolution.
    """

    def __init__(self, width: int, heads: int, side: int, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.places: Tensor
        self.answered = nn.Conv2d(2, width, 1)
        self.kept = nn.Conv2d(width, width, 1)
        self.attention = Attention(width, heads)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]
        self.register_buffer("places", grid(side // pool, side // pool, width), persistent=False)

    def write(self, features: Tensor, found: Found) -> Tensor:
        """A frame's memory: float (N, M, D) from features (N, D, h, w) and the answer to each prompt."""
        small = functional.avg_pool2d(features, self.pool)
        chance = functional.avg_pool2d(found.semantic.sigmoid(), self.pool)
        presence = found.presence.sigmoid()[:, :, None, None] * torch.ones_like(chance)
        kept = self.kept(small) + self.answered(torch.cat([chance, presence], dim=1))
        return kept.flatten(2).transpose(1, 2)  # type: ignore[no-any-return]

    def read(self, features: Tensor, memory: Tensor) -> Tensor:
        """The next frame's features with what it remembers: float (N, D, h, w)."""
        height, breadth = features.shape[2] // self.pool, features.shape[3] // self.pool
        coarse = functional.avg_pool2d(features, self.pool).flatten(2).transpose(1, 2)
        seen = self.attention(coarse + self.places, memory + self.places, memory)
        maps = self.out(seen.transpose(1, 2).reshape(seen.shape[0], -1, height, breadth))
        raised = functional.interpolate(
            maps, scale_factor=float(self.pool), mode="bilinear", align_corners=False
        )
        return features + raised
