"""Generated frames of fixed cameras: people walk, decoys stand, light changes with the hour of the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from training.data.cctv.camera import Camera, camera, stand
from training.data.cctv.figures import DECOYS, decoy, paste, person

HEIGHT, WIDTH = 270, 480
SEEN, UNSEEN = 3, 2
"""Cameras 0..2 are trained on; 3 and 4 only judge."""

MINORITY = 0.18
"""Share of people without a helmet: as rare as on building sites, 231 to 1,449 in the case at hand and here
a little less rare, so that small sets hold some."""

EMPTY = 0.15
"""Share of visits in which nobody is there."""

Part = Literal["training", "validation", "held_out"]
_FIRST: dict[Part, int] = {"training": 0, "validation": 100_000, "held_out": 200_000}
"""Number of the first visit of each part; the same cameras are visited for training and validation, at other
times."""

_START = datetime(2026, 3, 2, 6, 0, 0)
_APART, _STEP = timedelta(minutes=47), timedelta(seconds=2)
_FRAMES = 7
"""Keeps the random streams of visits apart from those of cameras."""


@dataclass(frozen=True)
class Frame:
    """``image``: uint8 (270, 480, 3) RGB; ``boxes``: float32 (N, 4) x1 y1 x2 y2 in pixels; ``classes``:
    int64 (N,); ``camera`` and ``visit``: what a split must not cut; ``time``: when it was taken."""

    camera: int
    visit: int
    time: datetime
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True)
class _Walker:
    """Where someone stands at the visit's first frame, and the pixels he goes each frame."""

    klass: int
    x: float
    y: float
    dx: float
    dy: float
    look: int


@dataclass(frozen=True)
class CctvWorld:
    """An endless supply of visits to cameras; the same seed and numbers give the same bytes.

    A visit is a few frames two seconds apart. Its walkers, decoys and light are its own, so that two visits
    of one camera share the scenery alone.
    """

    seed: int = 0
    height: int = HEIGHT
    width: int = WIDTH

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 96 or self.seed < 0:
            raise DeployError(
                "CCTV-SIZE",
                f"Frames of {self.width}x{self.height} pixels with seed {self.seed} cannot be generated.",
                "Use sides of at least 96 pixels and a seed of at least 0.",
            )

    def visits(self, part: Part, count: int) -> list[tuple[int, int]]:
        """``count`` pairs of camera and visit of a part, cameras in turn."""
        cameras = range(SEEN, SEEN + UNSEEN) if part == "held_out" else range(SEEN)
        return [(cameras[number % len(cameras)], _FIRST[part] + number) for number in range(count)]

    def time(self, visit: int, number: int) -> datetime:
        """When frame ``number`` of a visit is taken."""
        return _START + _APART * (visit % 100_000) + timedelta(days=400) * (visit // 100_000) + _STEP * number

    def visit(self, number: int, visit: int, frames: int) -> list[Frame]:
        """The first ``frames`` frames of a visit to camera ``number``."""
        rng = np.random.default_rng([self.seed, _FRAMES, number, visit])
        view = camera(self.seed, number, self.height, self.width)
        ground = view.scenery.copy()
        for _ in range(int(rng.integers(7, 13))):
            x, y = stand(rng, view)
            kind = DECOYS[int(rng.integers(len(DECOYS)))]
            paste(ground, decoy(rng, kind, view.height_at(y) * float(rng.uniform(0.8, 1.15))), x, y)
        walkers = self._walkers(rng, view)
        light = self._light(rng, self.time(visit, 0))
        streams = rng.spawn(frames)
        return [
            self._frame(streams[index], view, ground, walkers, light, number, visit, index)
            for index in range(frames)
        ]

    def _walkers(self, rng: np.random.Generator, view: Camera) -> list[_Walker]:
        if rng.random() < EMPTY:
            return []
        made = []
        for _ in range(int(rng.integers(4, 15))):
            x, y = stand(rng, view)
            speed, way = float(rng.uniform(0, 5)), float(rng.uniform(0, 2 * np.pi))
            klass = int(rng.random() < MINORITY)
            look = int(rng.integers(2**31))
            made.append(_Walker(klass, x, y, speed * np.cos(way), 0.4 * speed * np.sin(way), look))
        return made

    def _light(self, rng: np.random.Generator, time: datetime) -> NDArray[np.float32]:
        """Float32 (3,): what colours are multiplied with; dim and yellow at the day's ends."""
        hour = time.hour + time.minute / 60
        day = float(np.clip(np.sin(np.pi * (hour - 5) / 16), 0.0, 1.0))
        warm = np.array([1.05, 1.0, 0.9]) if day < 0.4 else np.ones(3)
        return np.asarray((0.78 + 0.22 * day) * warm * rng.uniform(0.93, 1.07), np.float32)

    def _frame(
        self,
        rng: np.random.Generator,
        view: Camera,
        ground: NDArray[np.float32],
        walkers: list[_Walker],
        light: NDArray[np.float32],
        number: int,
        visit: int,
        index: int,
    ) -> Frame:
        picture = ground.copy()
        boxes: list[NDArray[np.float32]] = []
        classes: list[int] = []
        taken: list[tuple[float, float]] = []
        for walker in sorted(walkers, key=lambda each: each.y + each.dy * index):
            x, y = walker.x + walker.dx * index, walker.y + walker.dy * index
            tall = view.height_at(y)
            inside = 6 < x < self.width - 6 and view.horizon + 11 < y < self.height - 1
            if not inside or any(abs(x - u) < 0.55 * tall and abs(y - v) < tall for u, v in taken):
                continue
            taken.append((x, y))
            boxes.append(paste(picture, person(np.random.default_rng(walker.look), walker.klass, tall), x, y))
            classes.append(walker.klass)
        picture = picture * view.gain * light
        picture = cv2.GaussianBlur(picture, (5, 5), view.blur)  # type: ignore[assignment]
        picture += rng.standard_normal(picture.shape, np.float32) * np.float32(view.noise)
        image = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        time = self.time(visit, index)
        stamp = f"CAM {number} {time:%Y-%m-%d %H:%M:%S}"
        cv2.putText(image, stamp, (4, 10), cv2.FONT_HERSHEY_PLAIN, 0.6, (235.0, 235.0, 235.0), 1)
        return Frame(
            camera=number,
            visit=visit,
            time=time,
            image=image,
            boxes=np.stack(boxes) if boxes else np.zeros((0, 4), np.float32),
            classes=np.array(classes, np.int64),
        )
