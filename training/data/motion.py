"""Paths of generated things and of the camera: smooth functions of the frame number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pose:
    """Where a thing is in one frame: centre in pixels, radius in pixels, angle in radians."""

    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Path:
    """A swing around a centre with slow turning and breathing; speeds are per frame.

    ``swing``: float64 (3, 3), rows x, y and size; columns amplitude, angular speed and phase.
    """

    x: float
    y: float
    radius: float
    angle: float
    turn: float
    swing: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int, width: int, radius: tuple[float, float]) -> Path:
        """Draw a path inside a picture; ``radius`` is the range of radii as fractions of its shorter side."""
        short = min(height, width)
        swing = np.array(
            [
                [rng.uniform(0.08, 0.28) * width, rng.uniform(0.06, 0.16), rng.uniform(0, 2 * np.pi)],
                [rng.uniform(0.08, 0.28) * height, rng.uniform(0.06, 0.16), rng.uniform(0, 2 * np.pi)],
                [rng.uniform(0.05, 0.22), rng.uniform(0.05, 0.2), rng.uniform(0, 2 * np.pi)],
            ]
        )
        return cls(
            x=float(rng.uniform(0.3, 0.7)) * width,
            y=float(rng.uniform(0.3, 0.7)) * height,
            radius=float(rng.uniform(*radius)) * short,
            angle=float(rng.uniform(0, 2 * np.pi)),
            turn=float(rng.uniform(-0.08, 0.08)),
            swing=swing,
        )

    def at(self, frame: int) -> Pose:
        """The pose in one frame."""
        offset = self.swing[:, 0] * np.sin(self.swing[:, 1] * frame + self.swing[:, 2])
        return Pose(
            x=self.x + float(offset[0]),
            y=self.y + float(offset[1]),
            radius=self.radius * (1 + float(offset[2])),
            angle=self.angle + self.turn * frame,
        )


@dataclass(frozen=True)
class Camera:
    """A slow pan with a swing, a small roll and a hand's shake over a larger scenery.

    ``start`` and ``speed``: float64 (2,), x and y in pixels and pixels per frame; ``roll``: radians;
    ``shake``: float64 (T, 2), pixels.
    """

    start: NDArray[np.float64]
    speed: NDArray[np.float64]
    roll: float
    shake: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, frames: int, margin: float) -> Camera:
        """Draw a camera that stays within ``margin`` pixels of the scenery's middle in ``frames`` frames."""
        speed = rng.uniform(-1.5, 1.5, 2)
        start = -speed * (frames - 1) / 2
        limit = max(1.0, float(np.abs(start).max()) / max(margin - 2, 1.0))
        shake = rng.normal(0, 0.4, (frames, 2))
        return cls(start / limit, speed / limit, float(rng.uniform(-0.06, 0.06)), shake)

    def matrix(
        self, frame: int, centre: tuple[float, float], scenery: tuple[float, float]
    ) -> NDArray[np.float64]:
        """Float64 (2, 3), picture pixels to scenery pixels.

        Args:
            frame: frame number.
            centre: the picture's middle, x and y in pixels.
            scenery: the scenery's middle, x and y in pixels.
        """
        angle = self.roll * np.sin(0.2 * frame)
        cosine, sine = np.cos(angle), np.sin(angle)
        shift = np.asarray(scenery) + self.start + self.speed * frame + self.shake[frame]
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return np.concatenate([turn, (shift - turn @ np.asarray(centre))[:, None]], axis=1)
