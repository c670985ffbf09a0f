"""From a run's options to the arguments that rebuild its model."""

from __future__ import annotations

from typing import Any

from training.distill.settings import PromptableOptions
from training.text.protocol import Tokenizer

_HEADS = 4
_POOL_SMALL, _POOL_TIMM = 2, 4


def model_arguments(options: PromptableOptions, size: int, tokenizer: Tokenizer) -> dict[str, Any]:
    """``model_args`` of the checkpoint.

    Args:
        options: widths, layers, queries.
        size: side of the input in pixels.
        tokenizer: decides the size of the embedding.
    """
    arguments = {
        "size": size,
        "backbone": options.backbone,
        "widths": list(options.widths),
        "width": options.width,
        "queries": options.queries,
        "layers": options.layers,
        "heads": _HEADS,
        "pool": _POOL_SMALL if options.backbone == "small" else _POOL_TIMM,
        "points": options.points,
        "text": {
            "words": tokenizer.size,
            "length": tokenizer.length,
            "pad": tokenizer.pad_id,
            "width": options.width,
            "layers": options.text_layers,
        },
    }
    return arguments | ({"levels": options.levels} if options.levels else {})
