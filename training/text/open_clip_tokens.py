"""CLIP's byte-pair tokens through open_clip, whose vocabulary file comes with its package (no network)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes


class OpenClipTokens:
    """49,408 tokens, 77 a phrase, padding 0. See ``protocol.Tokenizer``."""

    id = "open_clip"
    length = 77
    pad_id = 0

    def __init__(self, phrases: Sequence[str]) -> None:
        if find_spec("open_clip") is None:
            raise DeployError(
                "EXTRA-MISSING",
                "The tokenizer open_clip needs open_clip, which is not installed.",
                "Install the extra: pip install 'pocketproof[clip]'",
            )
        from open_clip.tokenizer import SimpleTokenizer

        self._tokens = SimpleTokenizer(context_length=self.length)
        self.size = int(self._tokens.vocab_size)
        ordered = sorted(self._tokens.encoder.items(), key=lambda item: item[1])
        self.sha256 = sha256_bytes(canonical_json(ordered).encode())

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Token ids, int64 (N, 77): start, the phrase, end, padding.

        Raises:
            DeployError: ``PHRASE-TOO-LONG``; open_clip itself would cut without a word.
        """
        for text in texts:
            count = len(self._tokens.encode(text)) + 2
            if count > self.length:
                raise DeployError(
                    "PHRASE-TOO-LONG",
                    f"{text[:40]!r}... has {count} tokens, and the tokenizer {self.id} takes {self.length}.",
                    "Use a shorter phrase.",
                )
        ids: NDArray[np.int64] = self._tokens(list(texts)).numpy().astype(np.int64)
        return ids
