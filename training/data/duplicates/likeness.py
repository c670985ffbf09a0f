"""The proof that two pictures are one: structural similarity, and nothing that moved."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.duplicates.fingerprint import BAND

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SIGMA = 1.5
_ASPECT = 0.02
_CELLS, _CORRELATED = 32, 0.7


@dataclass(frozen=True)
class Alike:
    """When two pictures count as one.

    ``distance``: bits by which their 64-bit hashes may differ; ``ssim``: least structural similarity;
    ``moved``: grey levels by which no block of 8 x 8 pixels may differ: re-encoding changes a block's mean by
    a few, a person of ten pixels who moves by a dozen; ``band``: share of the height, above and below, where
    a printed clock may differ at will.
    """

    distance: int = 6
    ssim: float = 0.9
    moved: float = 9.0
    band: float = BAND


def same_picture(one: NDArray[np.uint8], other: NDArray[np.uint8], how: Alike) -> bool:
    """Whether two eighths, uint8 (h, w) grey, show the same; a resized copy may."""
    if one.shape != other.shape:
        small, large = sorted((one, other), key=lambda thumb: thumb.size)
        (h, w), (height, width) = small.shape, large.shape
        if abs(w * height - h * width) > _ASPECT * w * height + max(width, height):
            return False
        one = small
        other = cv2.resize(large, (w, h), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    skip = int(np.ceil(how.band * one.shape[0]))
    one, other = (thumb[skip : len(thumb) - skip] for thumb in (one, other))
    if int(cv2.absdiff(one, other).max()) > how.moved:
        return False
    return structural_similarity(one, other) >= how.ssim


def resemble(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two eighths, uint8 (h, w) grey, may be neighbours of one clip: 32 x 32 cells that correlate."""
    cells = [
        cv2.resize(thumb, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
        for thumb in (one, other)
    ]
    a, b = (each - each.mean() for each in cells)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) >= _CORRELATED * size


def structural_similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean SSIM of two grey pictures (Wang et al. 2004: Gaussian window of sigma 1.5, 8 bits)."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    return float((above / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))).mean())


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return cv2.GaussianBlur(plane, (11, 11), _SIGMA, borderType=cv2.BORDER_REFLECT)  # type: ignore[return-value]
