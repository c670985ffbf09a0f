"""Outlines of generated things: star-shaped closed curves, known exactly at every pixel centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS = ("ellipse", "box", "flower", "polygon", "blob", "ring")


@dataclass(frozen=True)
class Outline:
    """A closed curve ``rho = radius(theta)`` around the origin, of mean radius about 1.

    ``stretch``: ratio of the two half axes; ``corners``: number of petals or sides;
    ``waves``: float64 (K, 2), amplitude and phase of harmonic k + 2 (blobs only);
    ``hole``: inner radius as a fraction of the outer one, 0 for a filled shape.
    """

    kind: str
    stretch: float
    corners: int
    waves: NDArray[np.float64]
    hole: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Outline:
        """Draw a random outline."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        waves = np.stack([rng.uniform(0.02, 0.12, 4), rng.uniform(0, 2 * np.pi, 4)], axis=1)
        hole = float(rng.uniform(0.35, 0.5)) if kind == "ring" else 0.0
        return cls(kind, float(rng.uniform(0.65, 1.0)), int(rng.integers(3, 7)), waves, hole)

    def depth(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far out each point lies: below 1 inside the outer curve, 1 on it.

        Args:
            u, v: float32 (H, W), coordinates in units of the shape's radius.

        Returns:
            float32 (H, W), ``rho / radius(theta)``.
        """
        v = v / np.float32(self.stretch)
        rho, theta = np.hypot(u, v), np.arctan2(v, u)
        return (rho / self._radius(theta)).astype(np.float32)

    def inside(self, depth: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Bool (H, W): the points that belong to the shape, given their ``depth``."""
        return (depth <= 1) & (depth >= self.hole)

    def _radius(self, theta: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.kind == "box":  # a superellipse of exponent 6: a box with rounded corners
            power = np.abs(np.cos(theta)) ** 6 + np.abs(np.sin(theta)) ** 6
            return np.asarray(0.85 * power ** (-1 / 6), np.float32)
        if self.kind == "flower":
            return np.asarray(0.9 + 0.18 * np.cos(self.corners * theta), np.float32)
        if self.kind == "polygon":
            wedge = 2 * np.pi / self.corners
            bent = np.mod(theta, wedge) - wedge / 2
            return np.asarray(1.05 * np.cos(wedge / 2) / np.cos(bent), np.float32)
        if self.kind == "blob":
            radius = np.ones_like(theta)
            for order, (amplitude, phase) in enumerate(self.waves, start=2):
                radius += np.float32(amplitude) * np.cos(order * theta + np.float32(phase))
            return np.asarray(0.9 * radius, np.float32)
        return np.ones_like(theta)
