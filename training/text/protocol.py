"""The socket of a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Tokenizer(Protocol):
    """Phrases to token ids of one fixed length.

    ``id`` is its name on the door plate; ``sha256`` hashes everything that decides which number a word
    gets; ``pad_id`` fills up to ``length``; ids are below ``size``.
    """

    id: str
    sha256: str
    pad_id: int
    length: int
    size: int

    def __init__(self, phrases: Sequence[str]) -> None:
        """``phrases``: what a tokenizer without a vocabulary of its own builds one from."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Token ids, int64 (N, length); raises ``PHRASE-TOO-LONG``."""
        ...
