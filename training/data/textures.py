"""Surfaces of generated things: smooth ones for scenery and clutter, patterned ones for objects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PATTERNS = ("stripes", "checks", "dots", "rings", "waves")


def draw_colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """One colour, float32 (3,) RGB 20..235; objects and scenery draw from this same distribution."""
    return rng.uniform(20, 235, 3).astype(np.float32)


def draw_pair(rng: np.random.Generator) -> NDArray[np.float32]:
    """Two colours that differ visibly: float32 (2, 3) RGB, at least 70 levels apart in mean."""
    while True:
        pair = np.stack([draw_colour(rng), draw_colour(rng)])
        if abs(float(pair[0].mean() - pair[1].mean())) >= 70:
            return pair


def smooth_surface(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Cloudy scenery: two colours mixed by three octaves of smooth noise. float32 (H, W, 3) RGB 0..255."""
    mix = np.zeros((height, width), np.float32)
    for cells, weight in ((3, 1.0), (6, 0.5), (11, 0.3)):
        coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
        mix += np.float32(weight) * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    share = np.clip(0.5 + 0.5 * mix, 0, 1)[..., None]
    pair = draw_pair(rng)
    return np.asarray(pair[0] * share + pair[1] * (1 - share), np.float32)


@dataclass(frozen=True)
class Pattern:
    """A two-colour pattern fixed to its object. ``frequency``: periods per object radius;
    ``colours``: float32 (2, 3) RGB; ``angle``: radians."""

    kind: str
    frequency: float
    angle: float
    colours: NDArray[np.float32]

    @classmethod
    def draw(cls, rng: np.random.Generator, radius: float) -> Pattern:
        """Draw a pattern for an object of ``radius`` pixels; one period is 6 to 10 pixels."""
        kind = PATTERNS[int(rng.integers(len(PATTERNS)))]
        frequency = radius / float(rng.uniform(6, 10))
        return cls(kind, frequency, float(rng.uniform(0, np.pi)), draw_pair(rng))

    def paint(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colours at the object's coordinates ``u``, ``v`` (float32 (H, W), units of its radius).

        Returns:
            float32 (H, W, 3) RGB 0..255.
        """
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        across = np.float32(2 * np.pi * self.frequency) * (u * cosine + v * sine)
        along = np.float32(2 * np.pi * self.frequency) * (v * cosine - u * sine)
        if self.kind == "stripes":
            wave = np.sin(across)
        elif self.kind == "checks":
            wave = np.sin(across) * np.sin(along) * 1.6
        elif self.kind == "dots":
            wave = np.cos(across) + np.cos(along) - 0.4
        elif self.kind == "rings":
            wave = np.sin(np.float32(2 * np.pi * self.frequency) * np.hypot(u, v))
        else:
            wave = np.sin(across + 1.5 * np.sin(along * 0.35))
        share = (0.5 + 0.5 * np.tanh(3 * wave))[..., None]
        return np.asarray(self.colours[0] * share + self.colours[1] * (1 - share), np.float32)
