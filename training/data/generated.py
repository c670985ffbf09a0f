"""Generated clips behind the interface of the folder loaders."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import MaskPrediction, Truth
from deploy.store import sha256_bytes
from training.data.clips import FRAMES, PARTS, Clip, ClipWorld
from training.data.samples import Entry, EvaluationSet

_CACHE_BYTES = 128 << 20


def generated_set(
    clips: int = 12,
    frames: int = FRAMES,
    seed: int = 0,
    *,
    part: str = "held_out",
    height: int = 160,
    width: int = 160,
) -> EvaluationSet:
    """Frames of generated clips with their exact masks; each clip is a group.

    Args:
        clips: number of clips.
        frames: frames of each clip.
        seed: the world's seed.
        part: ``training``, ``validation`` (picks the best epoch) or ``held_out`` (judges).
        height, width: picture size in pixels.
    """
    world = ClipWorld(seed, height, width)
    first = PARTS[part]

    @lru_cache(maxsize=max(2, _CACHE_BYTES // (4 * frames * height * width)))
    def film(index: int) -> Clip:
        return world.clip(first + index, frames)

    entries = []
    for clip in range(clips):
        name = world.name(first + clip)
        entries += [
            Entry(f"{name}/{frame:05d}", name, _reader(film, clip, frame), _digest(film, clip, frame))
            for frame in range(frames)
        ]
    return EvaluationSet("generated", entries, labelled=True)


def _reader(
    film: Callable[[int], Clip], clip: int, frame: int
) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    return lambda: (film(clip).frames[frame], MaskPrediction(film(clip).masks[frame]))


def _digest(film: Callable[[int], Clip], clip: int, frame: int) -> Callable[[], str]:
    return lambda: sha256_bytes(film(clip).frames[frame].tobytes() + film(clip).masks[frame].tobytes())
