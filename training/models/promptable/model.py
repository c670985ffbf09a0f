"""The whole promptable segmenter: four parts, each a door of its own, and the chain through them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from training.models.promptable.decoder import Found, MaskDecoder
from training.models.promptable.image import ImageEncoder
from training.models.promptable.memory import Memory
from training.models.promptable.prompt import PromptEncoder
from training.models.promptable.text import TextEncoder


class Promptable(nn.Module):
    """``image``, ``text``, ``prompt`` and ``decoder``; export takes each on its own.

    Args:
        size: side of the input in pixels.
        backbone: ``small`` or ``timm:NAME``.
        widths: channels of the small pyramid.
        width: channels of features and tokens.
        queries: objects that can be found in one answer.
        layers: decoder layers.
        heads: attention heads of all parts.
        pool: queries read the features at this fraction of their resolution.
        points: points that one prompt may carry.
        text: arguments of the text encoder.
        memory: whether frames remember each other (video).
        levels: maps of a timm backbone that are used; 0 for all.
    """

    def __init__(
        self,
        *,
        size: int,
        backbone: str,
        widths: tuple[int, int, int, int],
        width: int,
        queries: int,
        layers: int,
        heads: int,
        pool: int,
        points: int,
        text: dict[str, Any],
        memory: bool = False,
        levels: int = 0,
    ) -> None:
        super().__init__()
        self.points = points
        self.image = ImageEncoder(backbone, widths, width, levels)
        self.text = TextEncoder(**text, heads=heads, out=width)
        self.prompt = PromptEncoder(width)
        side = size // self.image.stride
        self.decoder = MaskDecoder(width, queries, layers, heads, side, pool)
        self.memory = Memory(width, heads, side, pool) if memory else None

    def forward(self, image: Tensor, ids: Tensor, points: Tensor, box: Tensor) -> Found:
        """Answer B * P prompts about B pictures, picture by picture.

        Args:
            image: float (B, 3, S, S), normalised.
            ids: integer (B * P, L).
            points: float (B * P, K, 3), see ``PromptEncoder``.
            box: float (B * P, 5).
        """
        features = self.image(image)
        each = ids.shape[0] // image.shape[0]
        tokens = self.prompt(self.text(ids), points, box)
        return self.decoder(features.repeat_interleave(each, dim=0), tokens)  # type: ignore[no-any-return]

    def watch(self, frames: Tensor, ids: Tensor, points: Tensor, box: Tensor) -> list[Found]:
        """Answer the same prompts on every frame of B clips; each frame remembers the one before.

        Args:
            frames: float (F, B, 3, S, S), normalised.
            ids: integer (B * P, L).
            points: float (B * P, K, 3).
            box: float (B * P, 5).
        """
        count, clips = frames.shape[:2]
        each = ids.shape[0] // clips
        maps = self.image(frames.flatten(0, 1)).unflatten(0, (count, clips))
        tokens = self.prompt(self.text(ids), points, box)
        answers: list[Found] = []
        kept: Tensor | None = None
        for now in maps:
            features = now.repeat_interleave(each, dim=0)
            if self.memory is not None and kept is not None:
                features = self.memory.read(features, kept)
            answers.append(self.decoder(features, tokens))
            if self.memory is not None:
                kept = self.memory.write(features, answers[-1])
        return answers


def build(**arguments: Any) -> nn.Module:
    """Build the segmenter from a checkpoint's ``model_args``."""
    return Promptable(**arguments)
