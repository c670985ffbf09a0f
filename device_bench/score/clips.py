"""Masks of one clip: quality against the truth, likeness to the reference, and steadiness of all three."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deploy.contracts.plan import Clip
from deploy.contracts.run import ClipResult
from deploy.errors import DeployError
from deploy.metrics.steadiness import Excess, GuardedJitter
from deploy.store import read_json
from deploy.vision.images import read_mask
from device_bench.figures import Figure
from device_bench.reference import UNAVAILABLE
from device_bench.score.model import ClipScore, MaskScore, Track
from device_bench.score.steadiness import Judge, Judged, Masks, figure_of, mean_over_frames


def score_clip(folder: Path, clip: Clip, result: ClipResult, seed: int) -> ClipScore:
    """Score the masks of ``result``; where truth or reference are missing, figures carry the reason.

    Raises:
        DeployError: a mask the run itself names cannot be read.
    """
    own = [read_mask(folder / name) for name in result.mask_files]
    masks = {
        "artifact": own,
        "reference": _reference(folder, result, own),
        "truth": _truth(folder, clip, own),
    }
    judge = Judge(folder, clip, masks, seed)
    judged = {who: judge(who, judge.yardstick) for who in masks}
    added = judge("artifact", "reference")
    likeness = judge.quality("artifact", "reference")
    return ClipScore(
        sequence=clip.sequence,
        frames=len(own),
        against=judge.yardstick,
        artifact=_score(judge, "artifact", judged["artifact"], seed),
        reference=_score(judge, "reference", judged["reference"], seed),
        truth=_score(judge, "truth", judged["truth"], seed),
        j_reference=_column(likeness, 0, seed),
        excess=_excess(added, lambda found: found.excess_flip),
        excess_acceleration=_excess(added, lambda found: found.excess_acceleration_px),
        flip_tracks={
            who: found.tracks.jitter.flip_rate for who, found in judged.items() if not isinstance(found, str)
        },
    )


def _score(judge: Judge, who: str, judged: Judged, seed: int) -> MaskScore:
    """Figures with intervals; quality is known even where a clip is too short for jitter."""
    quality = judge.quality(who, "truth")
    return MaskScore(
        steady_jf=figure_of(judged, lambda found: found.tracks.steady_jf, seed),
        jf=_column(quality if isinstance(quality, str) else quality.mean(axis=1, keepdims=True), 0, seed),
        j=_column(quality, 0, seed),
        f=_column(quality, 1, seed),
        flips=figure_of(judged, lambda found: found.tracks.jitter.flip_rate, seed),
        acceleration=figure_of(judged, lambda found: found.tracks.jitter.acceleration, seed),
        lag=_lag(judged),
    )


def _column(quality: Track | str, column: int, seed: int) -> Figure:
    return Figure.unknown(quality) if isinstance(quality, str) else mean_over_frames(quality[:, column], seed)


def _excess(judged: Judged, pick: Callable[[GuardedJitter], Excess | None]) -> Figure:
    """Artifact minus reference: splits "the model flickers" from "the export makes it flicker"."""
    if isinstance(judged, str):
        return Figure.unknown(judged)
    found = pick(judged)
    if found is None:
        return Figure.unknown("no frame had anything to measure in both")
    return Figure(found.mean, None, found.low, found.high)


def _lag(judged: Judged) -> Figure:
    """Frames the masks run late; smoothing buys steadiness with it."""
    if isinstance(judged, str):
        return Figure.unknown(judged)
    return Figure.unknown("nothing moves clearly enough") if judged.lag is None else Figure(float(judged.lag))


def _truth(folder: Path, clip: Clip, own: Masks) -> Masks | str:
    """True masks in frame order, or why they cannot be used."""
    names = [frame.mask for frame in clip.frames]
    if not all(names):
        return "this clip has no true masks" if not any(names) else "some frames lack a true mask"
    try:
        masks = [read_mask(folder / name) for name in names if name]
    except DeployError as error:
        return error.summary
    return masks if _alike(masks, own) else "the true masks have another size or number than the frames"


def _reference(folder: Path, result: ClipResult, own: Masks) -> Masks | str:
    """The fp32 reference's masks in frame order, or why there are none."""
    place = folder / "reference"
    try:
        if (place / UNAVAILABLE).exists():
            return str(read_json(place / UNAVAILABLE)["reason"])
        masks = [read_mask(place / name) for name in result.mask_files]
    except DeployError as error:
        return error.summary
    return masks if _alike(masks, own) else "the reference's masks have another size or number"


def _alike(first: Masks, second: Masks) -> bool:
    return [mask.shape for mask in first] == [mask.shape for mask in second]
