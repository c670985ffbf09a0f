"""The hash of a set of prompts, taken of what is really handed over: the picture's pixels and the prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import Kind, KindPrompts
from deploy.prompts.types import Prompt
from deploy.store import sha256_bytes
from deploy.vision.images import pixel_digest

KINDS: tuple[Kind, ...] = ("text", "point", "box")


class PromptLedger:
    """Counts and hashes prompts, kind by kind, in the order in which they are asked."""

    def __init__(self) -> None:
        self._digests = {kind: hashlib.sha256() for kind in KINDS}
        self._counts = dict.fromkeys(KINDS, 0)

    def enter(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> None:
        """Take the prompts on one picture, uint8 (H, W, 3) RGB."""
        picture = pixel_digest(image).encode()
        for prompt in prompts:
            self._digests[prompt.kind].update(picture + _bytes(prompt))
            self._counts[prompt.kind] += 1

    def kinds(self) -> tuple[KindPrompts, ...]:
        """What was entered, for every kind that was asked at all."""
        return tuple(
            KindPrompts(kind=kind, prompts=count, sha256=self._digests[kind].hexdigest())
            for kind, count in self._counts.items()
            if count
        )

    def sha256(self) -> str:
        """Hex SHA-256 of all kinds together."""
        return sha256_bytes("".join(f"{each.kind}\0{each.sha256}\n" for each in self.kinds()).encode())


def _bytes(prompt: Prompt) -> bytes:
    geometry = [
        b"-" if values is None else np.asarray(values, "<f4").tobytes()
        for values in (prompt.points, prompt.box)
    ]
    return b"\0".join(str(len(part)).encode() + b":" + part for part in (prompt.text.encode(), *geometry))
