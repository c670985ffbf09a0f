"""How steady a clip's masks are, beside those of the reference and of the truth on the same frames."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.plan import Clip
from deploy.metrics.flow import ClipFlow, clip_flow
from deploy.metrics.jitter import JitterSeries, jitter_series
from deploy.metrics.lag import lag_frames
from deploy.metrics.steadiness import excess
from deploy.statistics.bootstrap import block_interval
from deploy.vision.images import read_rgb
from device_bench.figures import Figure
from device_bench.score.model import Track

WHO = ("artifact", "reference", "truth")
_KEPT_BYTES = 512 << 20
_TOO_SHORT = "jitter needs at least 3 frames"

Masks = list[NDArray[np.bool_]]


@dataclass(frozen=True)
class Steadiness:
    """Figures by whose masks they are of; ``excess`` is artifact minus reference, paired by frame."""

    flips: dict[str, Figure]
    acceleration: dict[str, Figure]
    excess: Figure
    excess_acceleration: Figure
    lag: Figure
    flip_tracks: dict[str, Track]


def steadiness(folder: Path, clip: Clip, masks: Mapping[str, Masks | str], seed: int) -> Steadiness:
    """Jitter of every set of masks on one clip.

    Args:
        folder: the results folder, which holds the frames.
        clip: the frames.
        masks: for each of ``WHO``, bool (H, W) masks in frame order, or why there are none.
        seed: seed of the intervals.
    """
    series = {who: _series(folder, clip, masks[who]) for who in WHO}
    yardstick = masks["reference"] if isinstance(masks["truth"], str) else masks["truth"]
    return Steadiness(
        flips={who: _mean(found, "flip_rate", seed) for who, found in series.items()},
        acceleration={who: _mean(found, "acceleration", seed) for who, found in series.items()},
        excess=_excess(series, "flip_rate", seed),
        excess_acceleration=_excess(series, "acceleration", seed),
        lag=_lag(masks["artifact"], yardstick),
        flip_tracks={
            who: found.flip_rate for who, found in series.items() if isinstance(found, JitterSeries)
        },
    )


def mean_over_frames(values: Track, seed: int) -> Figure:
    """Mean of per-frame values, float64 (T,) in time order, with a moving-block interval; NaN is left out."""
    track = values[np.isfinite(values)]
    if len(track) == 0:
        return Figure.unknown("no frame had anything to measure")
    found = block_interval(track, "mean", seed=seed)
    return Figure(float(track.mean()), None, found.low, found.high)


def _mean(series: JitterSeries | str, name: str, seed: int) -> Figure:
    if isinstance(series, str):
        return Figure.unknown(series)
    return mean_over_frames(getattr(series, name), seed)


def _excess(series: Mapping[str, JitterSeries | str], name: str, seed: int) -> Figure:
    """Splits "the model flickers" from "the export makes it flicker"."""
    own, reference = series["artifact"], series["reference"]
    for side in (own, reference):
        if isinstance(side, str):
            return Figure.unknown(side)
    found = excess(getattr(own, name), getattr(reference, name), seed=seed)
    if found is None:
        return Figure.unknown("no frame had anything to measure in both")
    return Figure(found.mean, None, found.low, found.high)


def _lag(own: Masks | str, yardstick: Masks | str) -> Figure:
    """Frames the masks run late; smoothing buys steadiness with it."""
    if isinstance(own, str) or isinstance(yardstick, str):
        return Figure.unknown("there is nothing to be late against")
    found = lag_frames(np.stack(own), np.stack(yardstick))
    return Figure.unknown("nothing moves clearly enough") if found is None else Figure(float(found))


def _series(folder: Path, clip: Clip, masks: Masks | str) -> JitterSeries | str:
    if isinstance(masks, str):
        return masks
    if len(masks) < 3:
        return _TOO_SHORT
    stack = np.stack(masks)
    frames = hashlib.sha256("".join(frame.sha256 for frame in clip.frames[: len(masks)]).encode())
    key = hashlib.sha256(frames.digest() + np.packbits(stack).tobytes()).hexdigest()
    series: JitterSeries = _SERIES.get(
        key, lambda: (jitter_series(stack, _flow(folder, clip, len(masks), frames.hexdigest())), 1 << 12)
    )
    return series


def _flow(folder: Path, clip: Clip, count: int, key: str) -> ClipFlow:
    """Optical flow of the source video, shared by all masks on it."""

    def make() -> tuple[ClipFlow, int]:
        frames = np.stack([read_rgb(folder / frame.file) for frame in clip.frames[:count]])
        height, width = frames.shape[1:3]
        return clip_flow(frames), len(frames) * height * width * 9 // 4

    flow: ClipFlow = _FLOWS.get(key, make)
    return flow


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
