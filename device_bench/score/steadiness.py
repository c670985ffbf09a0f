"""Masks of a clip judged under guard: no figure of steadiness leaves here without its quality."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.plan import Clip
from deploy.metrics.flow import ClipFlow, clip_flow
from deploy.metrics.jitter import JitterSeries, jitter_series
from deploy.metrics.lag import lag_frames
from deploy.metrics.regions import region_and_boundary
from deploy.metrics.steadiness import GuardedJitter, Yardstick, judge_series
from deploy.statistics.bootstrap import block_interval
from deploy.vision.images import read_rgb
from device_bench.figures import Figure
from device_bench.score.model import Track

_KEPT_BYTES = 512 << 20

Masks = list[NDArray[np.bool_]]
Judged = GuardedJitter | str
"""Steadiness with its quality, or why there is none."""


class Judge:
    """Judges sets of masks on one clip; what two judgements share is computed once.

    Args:
        folder: the results folder, which holds the frames.
        clip: the frames.
        masks: for each of artifact, reference and truth, bool (H, W) in frame order, or why there are none.
        seed: seed of the intervals.
    """

    def __init__(self, folder: Path, clip: Clip, masks: Mapping[str, Masks | str], seed: int) -> None:
        self._folder, self._clip, self._masks, self._seed = folder, clip, masks, seed

    @property
    def yardstick(self) -> Yardstick:
        """The truth, or the reference where there is none."""
        return "reference" if isinstance(self._masks["truth"], str) else "truth"

    def quality(self, who: str, against: Yardstick) -> Track | str:
        """J and F of each frame, float64 (T, 2)."""
        own, other = self._masks[who], self._masks[against]
        if isinstance(own, str):
            return own
        if isinstance(other, str):
            return other

        def make() -> tuple[Track, int]:
            found = np.array([region_and_boundary(m, y) for m, y in zip(own, other, strict=True)])
            return found, found.nbytes

        key = _digest(self._frames_key(len(own)), *map(np.packbits, own), *map(np.packbits, other))
        quality: Track = _QUALITIES.get(key, make)
        return quality

    def __call__(self, who: str, against: Yardstick) -> Judged:
        """Steadiness and quality of the masks of ``who``."""
        quality = self.quality(who, against)
        own, other = self._series(who), self._series(against)
        for found in (quality, own, other):
            if isinstance(found, str):
                return found
        masks, yardstick = self._masks[who], self._masks[against]
        assert not isinstance(quality, str) and not isinstance(masks, str) and not isinstance(yardstick, str)
        assert isinstance(own, JitterSeries) and isinstance(other, JitterSeries)
        lag = lag_frames(np.stack(masks), np.stack(yardstick))
        return judge_series(quality, own, other, against=against, lag=lag, seed=self._seed)

    def _series(self, who: str) -> JitterSeries | str:
        masks = self._masks[who]
        if isinstance(masks, str):
            return masks
        if len(masks) < 3:
            return "jitter needs at least 3 frames"
        if len({mask.shape for mask in masks}) > 1:
            return "the frames of this clip differ in size"
        frames = self._frames_key(len(masks))
        series: JitterSeries = _SERIES.get(
            _digest(frames, *map(np.packbits, masks)),
            lambda: (jitter_series(np.stack(masks), self._flow(len(masks), frames)), 1 << 12),
        )
        return series

    def _flow(self, count: int, key: bytes) -> ClipFlow:
        """Optical flow of the source video, shared by all masks on it."""

        def make() -> tuple[ClipFlow, int]:
            frames = np.stack([read_rgb(self._folder / frame.file) for frame in self._clip.frames[:count]])
            height, width = frames.shape[1:3]
            return clip_flow(frames), len(frames) * height * width * 9 // 4

        flow: ClipFlow = _FLOWS.get(key.hex(), make)
        return flow

    def _frames_key(self, count: int) -> bytes:
        names = "".join(frame.sha256 for frame in self._clip.frames[:count])
        return hashlib.sha256(names.encode()).digest()


def figure_of(judged: Judged, track: Callable[[GuardedJitter], Track], seed: int) -> Figure:
    """The mean of one track of a judgement, or the judgement's reason."""
    return Figure.unknown(judged) if isinstance(judged, str) else mean_over_frames(track(judged), seed)


def mean_over_frames(values: Track, seed: int) -> Figure:
    """Mean of per-frame values, float64 (T,) in time order, with a moving-block interval; NaN is left out."""
    track = values[np.isfinite(values)]
    if len(track) == 0:
        return Figure.unknown("no frame had anything to measure")
    found = block_interval(track, "mean", seed=seed)
    return Figure(float(track.mean()), None, found.low, found.high)


def _digest(*parts: bytes | NDArray[np.uint8]) -> str:
    return hashlib.sha256(b"".join(bytes(part) for part in parts)).hexdigest()


class _Kept:
    """Results of this process by key, the oldest dropped when they outgrow ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def get(self, key: str, make: Callable[[], tuple[Any, int]]) -> Any:
        """The kept value, or the one that ``make`` returns together with its size in bytes."""
        if key not in self._entries:
            self._entries[key] = make()
            while len(self._entries) > 1 and sum(size for _, size in self._entries.values()) > self._limit:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return self._entries[key][0]


_FLOWS = _Kept(_KEPT_BYTES)
_SERIES = _Kept(_KEPT_BYTES)
_QUALITIES = _Kept(_KEPT_BYTES)
