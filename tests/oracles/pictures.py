"""Seeded masks with the shapes that trip boundary code: blobs, speckle, holes, edges, full and empty."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def blobs(height: int, width: int, seed: int, count: int = 3, speckle: float = 0.0) -> NDArray[np.bool_]:
    """Bool (H, W): ``count`` random ellipses, optionally with a share of flipped pixels."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((height, width), np.uint8)
    for _ in range(count):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(1, max(2, width // 5))), int(rng.integers(1, max(2, height // 4))))
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    mask = canvas.astype(np.bool_)
    if speckle:
        mask ^= rng.random(mask.shape) < speckle
    return mask


def shaken(mask: NDArray[np.bool_], seed: int, pixels: int = 4) -> NDArray[np.bool_]:
    """A worse copy of ``mask``: shifted by up to ``pixels`` and with a ragged edge."""
    rng = np.random.default_rng(seed)
    dy, dx = rng.integers(-pixels, pixels + 1, 2)
    moved = np.roll(mask, (int(dy), int(dx)), (0, 1)).astype(np.uint8)
    noise = cv2.GaussianBlur(rng.normal(0, 1, mask.shape).astype(np.float32), (0, 0), pixels)
    soft = cv2.GaussianBlur(moved.astype(np.float32), (0, 0), pixels)
    return soft + 0.15 * noise / max(float(noise.std()), 1e-6) > 0.5
