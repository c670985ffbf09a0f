"""One fixed camera: the scenery it always sees, how large people are in it, and how it renders light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.cctv.figures import DECOYS, Sprite, decoy, paste

_SCENERY = 11
"""Keeps a camera's own random stream apart from those of its frames."""


@dataclass(frozen=True)
class Camera:
    """``scenery``: float32 (H, W, 3) RGB without people; ``horizon``: the row above which nobody stands;
    ``tall``: heights in pixels of people at the horizon and at the lower edge; ``gain``: float32 (3,), its
    colour balance; ``noise`` in grey levels; ``blur``: sigma in pixels."""

    scenery: NDArray[np.float32]
    horizon: float
    tall: tuple[float, float]
    gain: NDArray[np.float32]
    noise: float
    blur: float

    def height_at(self, y: float) -> float:
        """Height in pixels of a person whose feet stand on row ``y``."""
        depth = (y - self.horizon) / (self.scenery.shape[0] - self.horizon)
        return self.tall[0] + (self.tall[1] - self.tall[0]) * float(np.clip(depth, 0, 1))


@lru_cache(maxsize=16)
def camera(seed: int, number: int, height: int, width: int) -> Camera:
    """Camera ``number`` of the world ``seed``."""
    rng = np.random.default_rng([seed, _SCENERY, number])
    horizon = float(rng.uniform(0.22, 0.34)) * height
    low = float(rng.uniform(9.5, 10.5))
    tall = (low, float(rng.uniform(13.0, 14.0)))
    scenery = _ground(rng, height, width)
    _street(rng, scenery, horizon)
    _walls(rng, scenery, horizon)
    made = Camera(
        scenery,
        horizon,
        tall,
        rng.uniform(0.9, 1.1, 3).astype(np.float32),
        float(rng.uniform(2.0, 4.5)),
        float(rng.uniform(0.25, 0.45)),
    )
    _furniture(rng, made)
    return made


def stand(rng: np.random.Generator, view: Camera) -> tuple[float, float]:
    """Somewhere on the ground, nearer places rarer: x and y in pixels."""
    height, width = view.scenery.shape[:2]
    top = view.horizon + 12
    return float(rng.uniform(8, width - 8)), top + (height - 4 - top) * float(rng.beta(1.2, 1.4))


def _ground(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Asphalt, gravel or grass: a dull colour in patches, with grain and cracks. float32 (H, W, 3)."""
    tone = rng.uniform(85, 165) + rng.uniform(-14, 14, 3)
    surface = np.full((height, width, 3), tone, np.float32)
    for cells, weight in ((4, 16.0), (14, 9.0), (60, 7.0)):
        coarse = rng.normal(0, 1, (cells, 2 * cells)).astype(np.float32)
        surface += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    for _ in range(int(rng.integers(4, 10))):
        ends = rng.uniform(0, 1, (2, 2)) * (width, height)
        line = [(round(x), round(y)) for x, y in ends]
        cv2.line(surface, line[0], line[1], (tone + rng.uniform(-45, 30)).tolist(), 1)
    return surface


def _street(rng: np.random.Generator, surface: NDArray[np.float32], horizon: float) -> None:
    """Paint a road with dashes and a few pallets, in place."""
    height, width = surface.shape[:2]
    left, right = sorted(rng.uniform(-0.2, 1.2, 2) * width)
    far = rng.uniform(0.3, 0.7) * width
    corners = np.array([[far - 12, horizon], [far + 12, horizon], [right + 90, height], [left - 10, height]])
    shade = (surface.mean() + rng.uniform(-30, 30)) + rng.uniform(-6, 6, 3)
    painted = surface.copy()
    cv2.fillPoly(painted, [np.rint(corners).astype(np.int32)], shade.tolist())
    surface += np.float32(0.7) * (painted - surface)
    for step in np.linspace(0.15, 0.95, 7):
        x, y = far + (0.5 * (left + right + 80) - far) * step, horizon + (height - horizon) * step
        size = 2 + 6 * step
        cv2.line(surface, (round(x), round(y)), (round(x), round(y + size)), (215.0, 215.0, 205.0), 1)
    for _ in range(int(rng.integers(3, 8))):
        x, y = rng.uniform(0, width), rng.uniform(horizon + 10, height)
        w, h = rng.uniform(8, 34), rng.uniform(5, 16)
        colour = (rng.uniform(50, 180) + rng.uniform(-30, 30, 3)).tolist()
        cv2.rectangle(surface, (round(x), round(y - h)), (round(x + w), round(y)), colour, -1)
        cv2.line(surface, (round(x), round(y - h)), (round(x + w), round(y - h)), (20.0, 20.0, 20.0), 1)


def _walls(rng: np.random.Generator, surface: NDArray[np.float32], horizon: float) -> None:
    """Sky, and a row of fronts with windows and doors above the horizon, in place."""
    width = surface.shape[1]
    sky = rng.uniform(120, 215) + rng.uniform(-8, 14, 3)
    surface[: int(horizon)] = sky.astype(np.float32)
    x = float(rng.uniform(-40, 0))
    while x < width:
        broad, tall = rng.uniform(40, 130), rng.uniform(0.35, 1.0) * horizon
        tone = rng.uniform(60, 190) + rng.uniform(-25, 25, 3)
        top, edge = round(horizon - tall), round(x + broad)
        cv2.rectangle(surface, (round(x), top), (edge, int(horizon)), tone.tolist(), -1)
        dark = (tone * rng.uniform(0.4, 0.8)).tolist()
        for row in np.arange(top + 4, horizon - 8, rng.uniform(9, 15)):
            for column in np.arange(x + 4, x + broad - 6, rng.uniform(8, 14)):
                corner = (round(column) + 4, round(row) + int(rng.integers(4, 8)))
                cv2.rectangle(surface, (round(column), round(row)), corner, dark, -1)
        x += broad + float(rng.choice([0.0, 0.0, 20.0]))


def _furniture(rng: np.random.Generator, view: Camera) -> None:
    """Things that always stand there, among them some that look like people, in place."""
    for _ in range(int(rng.integers(2, 5))):
        x, y = stand(rng, view)
        kind = DECOYS[int(rng.integers(len(DECOYS)))]
        thing: Sprite = decoy(rng, kind, view.height_at(y) * float(rng.uniform(0.8, 1.15)))
        paste(view.scenery, thing, x, y)
