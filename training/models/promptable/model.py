"""The whole promptable segmenter: four parts, each a door of its own, and the chain through them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from training.models.promptable.decoder import Found, MaskDecoder
from training.models.promptable.image import ImageEncoder
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
    ) -> None:
        super().__init__()
        self.points = points
        self.image = ImageEncoder(backbone, widths, width)
        self.text = TextEncoder(**text, heads=heads, out=width)
        self.prompt = PromptEncoder(width)
        side = size // self.image.stride
        self.decoder = MaskDecoder(width, queries, layers, heads, side, pool)

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


def build(**arguments: Any) -> nn.Module:
    """Build the segmenter from a checkpoint's ``model_args``."""
    return Promptable(**arguments)
