"""Two tokenizers made from a world's own words, which disagree in order, padding and length.

They disagree on purpose: a teacher reads one and a student the other, so that ids meant for the one and fed
to the other are found out at once, and not after weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes


class Words:
    """Padding 0, unknown 1, then the words in alphabetical order; six tokens. See ``protocol.Tokenizer``."""

    id = "words"
    length = 6

    def __init__(self, phrases: Sequence[str]) -> None:
        words = _words(phrases)
        self.pad_id, self._unknown, self.size = 0, 1, len(words) + 2
        self._ids = {word: number + 2 for number, word in enumerate(words)}
        self.sha256 = _digest([self.id, self.pad_id, self._unknown, self.length, self._ids])

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Token ids, int64 (N, length); a word that the world does not have is unknown."""
        return _encode(texts, self, self._ids, self._unknown)


class WordsReversed:
    """Unknown 0, the words in reversed order from 1, padding last; ten tokens."""

    id = "words_reversed"
    length = 10

    def __init__(self, phrases: Sequence[str]) -> None:
        words = _words(phrases)
        self.pad_id, self._unknown, self.size = len(words) + 1, 0, len(words) + 2
        self._ids = {word: len(words) - number for number, word in enumerate(words)}
        self.sha256 = _digest([self.id, self.pad_id, self._unknown, self.length, self._ids])

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Token ids, int64 (N, length); a word that the world does not have is unknown."""
        return _encode(texts, self, self._ids, self._unknown)


def _words(phrases: Sequence[str]) -> list[str]:
    """All words, sorted."""
    return sorted({word for phrase in phrases for word in phrase.lower().split()})


def _digest(facts: list[Any]) -> str:
    return sha256_bytes(canonical_json(facts).encode())


def _encode(
    texts: Sequence[str], tokenizer: Words | WordsReversed, ids: dict[str, int], unknown: int
) -> NDArray[np.int64]:
    rows = np.full((len(texts), tokenizer.length), tokenizer.pad_id, np.int64)
    for row, text in zip(rows, texts, strict=True):
        words = text.lower().split()
        if len(words) > tokenizer.length:
            raise DeployError(
                "PHRASE-TOO-LONG",
                f"{text!r} has {len(words)} words, and {tokenizer.id} takes {tokenizer.length}.",
                "Use a shorter phrase, or a tokenizer that takes longer ones: --set tokenizer=open_clip",
            )
        row[: len(words)] = [ids.get(word, unknown) for word in words]
    return rows
