"""Jitter under guard: a clip's steadiness is only ever handed out together with its masks' quality."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.flow import ClipFlow
from deploy.metrics.jitter import JitterSeries, jitter_series
from deploy.metrics.lag import lag_frames
from deploy.metrics.regions import region_and_boundary
from deploy.statistics.bootstrap import block_interval

Yardstick = Literal["truth", "reference"]
"""What masks are judged by: true masks, or the fp32 reference's where there is no truth."""


LAG = "lag frames"


@dataclass(frozen=True)
class Excess:
    """Mean of jitter minus the yardstick's jitter, paired by frame, and its moving-block interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Tracks:
    """What a clip's figures are means of, in time order, for charts and intervals.

    ``region`` and ``boundary``: float64 (T,), J and F of each frame; ``steady_jf``: float64 (T - 1,).
    """

    region: NDArray[np.float64]
    boundary: NDArray[np.float64]
    steady_jf: NDArray[np.float64]
    jitter: JitterSeries

    @property
    def jf(self) -> NDArray[np.float64]:
        """J&F of each frame, (T,)."""
        return (self.region + self.boundary) / 2


@dataclass(frozen=True)
class GuardedJitter:
    """One clip's steadiness, inseparable from its quality; ``None`` is for what could not be measured.

    ``steady_jf`` is the figure to rank by: J&F of every pair of frames times the share of the boundary that
    does not flip more than the yardstick's. Steadiness can only take from it: it is never above J&F, so a
    frozen, empty or lagging mask gains nothing by holding still.

    ``flip_rate``, ``acceleration_px`` (and p95), ``temporal_iou``, ``centroid_px`` and ``area_share`` are
    means of ``JitterSeries``; excesses are against the yardstick. Lengths are pixels at 1080p.
    """

    against: Yardstick
    frames: int
    region: float
    boundary: float
    steady_jf: float
    flip_rate: float
    excess_flip: Excess | None
    acceleration_px: float | None
    acceleration_p95_px: float | None
    excess_acceleration_px: Excess | None
    temporal_iou: float
    centroid_px: float | None
    area_share: float | None
    lag: int | None
    tracks: Tracks = field(repr=False, compare=False)

    @property
    def jf(self) -> float:
        """J&F: the mean of region similarity and boundary accuracy, 0..1."""
        return (self.region + self.boundary) / 2

    def figures(self) -> dict[str, float | None]:
        """The figures in the order they must be shown in: quality first."""
        return {
            "steady J&F": self.steady_jf,
            "J&F": self.jf,
            "J": self.region,
            "F": self.boundary,
            "flip rate": self.flip_rate,
            "excess flip rate": self.excess_flip.mean if self.excess_flip else None,
            "acceleration px": self.acceleration_px,
            "acceleration p95 px": self.acceleration_p95_px,
            "excess acceleration px": self.excess_acceleration_px.mean
            if self.excess_acceleration_px
            else None,
            "temporal IoU": self.temporal_iou,
            "centroid px": self.centroid_px,
            "area share": self.area_share,
            LAG: self.lag,
        }

    def __str__(self) -> str:
        shown = [f"{name} {'-' if v is None else format(v, '.3f')}" for name, v in self.figures().items()]
        return f"{', '.join(shown)} (against the {self.against}, {self.frames} frames)"


def judge_steadiness(
    masks: NDArray[np.bool_],
    yardstick: NDArray[np.bool_],
    flow: ClipFlow,
    *,
    against: Yardstick,
    known: JitterSeries | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> GuardedJitter:
    """Steadiness and quality of one clip's masks.

    Args:
        masks: bool (T, H, W), T at least 2, as the device or method made them.
        yardstick: bool (T, H, W), true masks, or those of the fp32 reference on the same frames.
        flow: of the source video.
        against: which of the two the yardstick is.
        known: ``jitter_series`` of the yardstick, where it was computed before.
        replicates: bootstrap draws for the excess intervals.
        seed: seed of the draws.
    """
    if masks.shape != yardstick.shape or len(masks) < 2:
        raise ValueError(f"masks {masks.shape} and yardstick {yardstick.shape} must be 2 or more same frames")
    quality = np.array([region_and_boundary(m, y) for m, y in zip(masks, yardstick, strict=True)])
    other = jitter_series(yardstick, flow) if known is None else known
    own = other if masks is yardstick else jitter_series(masks, flow)
    return judge_series(
        quality,
        own,
        other,
        against=against,
        lag=lag_frames(masks, yardstick),
        replicates=replicates,
        seed=seed,
    )


def judge_series(
    quality: NDArray[np.float64],
    own: JitterSeries,
    other: JitterSeries,
    *,
    against: Yardstick,
    lag: int | None,
    replicates: int = 1000,
    seed: int = 0,
) -> GuardedJitter:
    """``judge_steadiness`` of what was computed before.

    Args:
        quality: float64 (T, 2), J and F of each frame against the yardstick.
        own: jitter of the masks that are judged.
        other: jitter of the yardstick on the same frames.
        against: what the yardstick is.
        lag: frames the masks run late, where that is known.
        replicates: bootstrap draws for the excess intervals.
        seed: seed of the draws.
    """
    if not len(quality) == len(own.flip_rate) + 1 == len(other.flip_rate) + 1:
        raise ValueError(f"quality of {len(quality)} frames does not belong to these series")
    tracks = Tracks(
        region=quality[:, 0],
        boundary=quality[:, 1],
        steady_jf=steady_track(quality.mean(axis=1), own.flip_rate, other.flip_rate),
        jitter=own,
    )
    return GuardedJitter(
        against=against,
        frames=len(quality),
        region=float(tracks.region.mean()),
        boundary=float(tracks.boundary.mean()),
        steady_jf=float(tracks.steady_jf.mean()),
        flip_rate=float(own.flip_rate.mean()),
        excess_flip=excess(own.flip_rate, other.flip_rate, replicates, seed),
        acceleration_px=_mean(own.acceleration),
        acceleration_p95_px=_mean(own.acceleration_p95),
        excess_acceleration_px=excess(own.acceleration, other.acceleration, replicates, seed),
        temporal_iou=float(own.temporal_iou.mean()),
        centroid_px=_mean(own.centroid),
        area_share=_mean(own.area),
        lag=lag,
        tracks=tracks,
    )


def excess(
    own: NDArray[np.float64], other: NDArray[np.float64], replicates: int = 1000, seed: int = 0
) -> Excess | None:
    """Paired difference of two jitter series (n,), with a moving-block interval; ``None`` without a pair.

    Blocks of ``n^(1/3)`` frames (Hall, Horowitz and Jing, Biometrika 1995): a bad moment lasts several
    frames. Frames in which either series is NaN are left out.
    """
    difference = own - other
    difference = difference[np.isfinite(difference)]
    if len(difference) == 0:
        return None
    found = block_interval(
        difference, "mean", block=math.ceil(len(difference) ** (1 / 3)), replicates=replicates, seed=seed
    )
    return Excess(float(difference.mean()), found.low, found.high)


def steady_track(
    jf: NDArray[np.float64], own: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """J&F of each pair of frames times one minus its flips beyond the yardstick's, (T - 1,), 0..1.

    Args:
        jf: (T,), J&F of each frame.
        own: (T - 1,), flip rates of the masks that are judged.
        other: (T - 1,), flip rates of the yardstick.
    """
    beyond = np.clip(own - other, 0, 1)
    return (jf[:-1] + jf[1:]) / 2 * (1 - beyond)


def ranked(rows: Mapping[str, GuardedJitter]) -> list[str]:
    """Names from best to worst: by ``steady_jf``, then by J&F. The order every table uses."""
    return sorted(rows, key=lambda name: (-rows[name].steady_jf, -rows[name].jf, name))


def mean_figures(rows: Iterable[GuardedJitter]) -> dict[str, float | None]:
    """Mean of every figure over clips, quality first; a clip that lacks one is left out of its mean.

    A mean lag would mean nothing: it is not among them.
    """
    tables = [row.figures() for row in rows]
    names = [name for name in tables[0] if name != LAG] if tables else []
    return {name: _mean(np.array([table[name] for table in tables], np.float64)) for name in names}


def _mean(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
