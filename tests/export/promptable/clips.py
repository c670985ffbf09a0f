"""A clip for chains: a red disc that walks over noise, with a blue cross in the way and its true masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deploy.vision.images import write_png

SIDE = 64


def write_clip(folder: Path, frames: int = 12) -> Path:
    """``images/`` and ``masks/`` (of the red disc) below ``folder``."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    for index in range(frames):
        rng = np.random.default_rng(index)
        image = 60 + rng.normal(0, 14, (SIDE, SIDE, 3))
        cross = ((np.abs(columns - 48) <= 4) & (np.abs(rows - 46) <= 12)) | (
            (np.abs(rows - 46) <= 4) & (np.abs(columns - 48) <= 12)
        )
        disc = np.hypot(columns - (18 + 1.5 * index), rows - (20 + 0.8 * index)) <= 14
        image[cross] = (55, 75, 225)
        image[disc] = (215, 45, 45)
        write_png(folder / "images" / f"{index:05d}.png", np.clip(image, 0, 255).astype(np.uint8))
        write_png(folder / "masks" / f"{index:05d}.png", disc.astype(np.uint8) * np.uint8(255))
    return folder
