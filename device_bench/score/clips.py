"""Masks of one clip: quality against the truth, likeness to the reference, and steadiness of all three."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deploy.contracts.plan import Clip
from deploy.contracts.run import ClipResult
from deploy.errors import DeployError
from deploy.metrics.regions import region_and_boundary, region_similarity
from deploy.store import read_json
from deploy.vision.images import read_mask
from device_bench.figures import Figure
from device_bench.reference import UNAVAILABLE
from device_bench.score.model import ClipScore
from device_bench.score.steadiness import Masks, mean_over_frames, steadiness


def score_clip(folder: Path, clip: Clip, result: ClipResult, seed: int) -> ClipScore:
    """Score the masks of ``result``; where truth or reference are missing, figures carry the reason.

    Raises:
        DeployError: a mask the run itself names cannot be read.
    """
    own = [read_mask(folder / name) for name in result.mask_files]
    truth = _truth(folder, clip, own)
    reference = _reference(folder, result, own)
    j, f, jf = _quality(own, truth, seed)
    masks = {"artifact": own, "reference": reference, "truth": truth}
    steady = steadiness(folder, clip, masks, seed)
    return ClipScore(
        sequence=clip.sequence,
        frames=len(own),
        j=j,
        f=f,
        jf=jf,
        j_reference=_likeness(own, reference, seed),
        flips=steady.flips,
        acceleration=steady.acceleration,
        excess=steady.excess,
        excess_acceleration=steady.excess_acceleration,
        lag=steady.lag,
        flip_tracks=steady.flip_tracks,
    )


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


def _quality(own: Masks, truth: Masks | str, seed: int) -> tuple[Figure, Figure, Figure]:
    """Means over frames of J, F and their mean, with moving-block intervals."""
    if isinstance(truth, str):
        unknown = Figure.unknown(truth)
        return unknown, unknown, unknown
    pairs = np.array([region_and_boundary(mask, true) for mask, true in zip(own, truth, strict=True)])
    return (
        mean_over_frames(pairs[:, 0], seed),
        mean_over_frames(pairs[:, 1], seed),
        mean_over_frames(pairs.mean(axis=1), seed),
    )


def _likeness(own: Masks, reference: Masks | str, seed: int) -> Figure:
    if isinstance(reference, str):
        return Figure.unknown(reference)
    values = [region_similarity(mask, other) for mask, other in zip(own, reference, strict=True)]
    return mean_over_frames(np.array(values), seed)
