"""Door plate of the tokenizers: how a phrase becomes numbers, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from training.text.protocol import Tokenizer

TOKENIZERS: DoorPlate[type[Tokenizer]] = DoorPlate(
    "tokenizer",
    {
        "words": "training.text.words:Words",
        "words_reversed": "training.text.words:WordsReversed",
        "open_clip": "training.text.open_clip_tokens:OpenClipTokens",
    },
)


def open_tokenizer(name: str, phrases: Sequence[str]) -> Tokenizer:
    """The tokenizer ``name`` for a world's phrases (the neutral one included).

    Raises:
        DeployError: ``UNKNOWN-TOKENIZER``, ``EXTRA-MISSING``.
    """
    return TOKENIZERS.open(name)(phrases)
