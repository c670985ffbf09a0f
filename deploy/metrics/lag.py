"""How many frames masks run behind the object: what smoothing pays for steadiness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deploy.metrics.jitter import moments

_FEWEST_FRAMES = 5
_WEAKEST = 0.8
_TIE = 0.005


def lag_frames(masks: NDArray[np.bool_], truth: NDArray[np.bool_], most: int = 5) -> int | None:
    """The shift that maximises the correlation of area and centroid with the truth's, in frames.

    Positive means late. Pearson's correlation of each of area, x and y that moves in both clips is averaged;
    within 0.005 the smallest shift wins, so even motion in a straight line, which looks the same at any
    shift, gives 0.

    Args:
        masks: bool (T, H, W).
        truth: bool (T, H, W), true or reference masks.
        most: shifts looked at, either way.

    Returns:
        The lag, or ``None`` where it cannot be located: nothing moves, masks are missing, no shift correlates
        by 0.8 (masks that lose the object), or the best ones reach to the last that was looked at.
    """
    ours, theirs = _signals(masks), _signals(truth)
    values = {k: _correlation(ours, theirs, k) for k in range(-most, most + 1)}
    best = max((v for v in values.values() if v is not None), default=0.0)
    if best < _WEAKEST:
        return None
    equal = [k for k, v in values.items() if v is not None and v >= best - _TIE]
    nearest = min(equal, key=abs)
    return None if nearest != 0 and most in map(abs, equal) else nearest


def _signals(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area and centroid of each frame, (3, T)."""
    areas, centres = moments(masks)
    return np.concatenate([areas[None], centres.T])


def _correlation(ours: NDArray[np.float64], theirs: NDArray[np.float64], shift: int) -> float | None:
    length = ours.shape[1] - abs(shift)
    if length < _FEWEST_FRAMES:
        return None
    late, early = max(shift, 0), max(-shift, 0)
    values = []
    for own, other in zip(ours[:, late : late + length], theirs[:, early : early + length], strict=True):
        there = np.isfinite(own) & np.isfinite(other)
        if there.sum() >= _FEWEST_FRAMES and np.ptp(own[there]) > 0 and np.ptp(other[there]) > 0:
            values.append(float(np.corrcoef(own[there], other[there])[0, 1]))
    return float(np.mean(values)) if values else None
