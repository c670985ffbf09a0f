"""Generated clips with exactly known masks: patterned objects move over moving scenery, behind occluders.

What tells an object from the rest is its fine pattern, not its colour, outline or motion: scenery, clutter
and occluders draw their colours and outlines from the same distributions and move as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from training.data.motion import Camera, Path, Pose
from training.data.outlines import Outline
from training.data.textures import Pattern, draw_pair, smooth_surface

PARTS = {"training": 0, "validation": 1_000_000, "held_out": 2_000_000}
"""Index of the first clip of each part; what picks a model (validation) never judges it (held out)."""

FRAMES = 24


@dataclass(frozen=True)
class Clip:
    """A short film. ``frames``: uint8 (T, H, W, 3) RGB; ``masks``: bool (T, H, W), visible object pixels."""

    name: str
    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]


@dataclass(frozen=True)
class _Thing:
    """Something drawn over the scenery; plain things (``pattern`` is ``None``) are never foreground."""

    outline: Outline
    path: Path
    pattern: Pattern | None
    plain: NDArray[np.float32]
    hidden: range


@dataclass(frozen=True)
class ClipWorld:
    """An endless supply of clips; the same seed, size and index give the same bytes.

    ``PARTS`` tells training, validation and held-out clips apart by index. Every clip has a random stream of
    its own, so that it does not matter which others were generated before.
    """

    seed: int = 0
    height: int = 160
    width: int = 160

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 32 or self.seed < 0:
            raise DeployError(
                "CLIP-SIZE",
                f"Clips of {self.width}x{self.height} pixels with seed {self.seed} cannot be generated.",
                "Use sides of at least 32 pixels and a seed of at least 0.",
            )

    def held_out(self, index: int, frames: int = FRAMES) -> Clip:
        """Held-out clip number ``index``, counted from 0."""
        return self.clip(PARTS["held_out"] + index, frames)

    def name(self, index: int) -> str:
        """The name of clip ``index``, which says the part it belongs to."""
        part = max((name for name in PARTS if PARTS[name] <= index), key=PARTS.__getitem__)
        return f"{part.replace('_', '-')}-{index - PARTS[part]:05d}"

    def clip(self, index: int, frames: int = FRAMES) -> Clip:
        """Generate clip ``index`` with ``frames`` frames."""
        rng = np.random.default_rng([self.seed, self.height, self.width, index])
        things = self._things(rng, frames)
        margin = max(self.height, self.width) // 3
        scenery = self._scenery(rng, margin)
        camera = Camera.draw(rng, frames, margin)
        grain, blur = float(rng.uniform(3, 8)), bool(rng.random() < 0.4)
        light = rng.uniform(0.0, 0.12), rng.uniform(0.05, 0.3), rng.uniform(0, 2 * np.pi)
        pictures = np.empty((frames, self.height, self.width, 3), np.uint8)
        masks = np.zeros((frames, self.height, self.width), np.bool_)
        middle = ((self.width - 1) / 2, (self.height - 1) / 2)
        centre = ((scenery.shape[1] - 1) / 2, (scenery.shape[0] - 1) / 2)
        for number in range(frames):
            view: NDArray[np.float32] = cv2.warpAffine(  # type: ignore[assignment]
                scenery,
                camera.matrix(number, middle, centre),
                (self.width, self.height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            for thing in things:
                if number not in thing.hidden:
                    _draw(thing, thing.path.at(number), view, masks[number])
            if blur:
                view = cv2.GaussianBlur(view, (3, 3), 0.6)  # type: ignore[assignment]
            view *= np.float32(1 + light[0] * np.sin(light[1] * number + light[2]))
            view += rng.standard_normal(view.shape, np.float32) * np.float32(grain)
            pictures[number] = np.clip(np.rint(view), 0, 255).astype(np.uint8)
        return Clip(self.name(index), pictures, masks)

    def _things(self, rng: np.random.Generator, frames: int) -> list[_Thing]:
        """Clutter, then objects, then occluders, in drawing order."""
        objects = 0 if rng.random() < 0.12 else int(rng.integers(1, 3))
        clutter, occluders = int(rng.integers(1, 4)), int(rng.integers(0, 3))
        things = [self._plain(rng, (0.1, 0.22)) for _ in range(clutter)]
        for _ in range(objects):
            path = Path.draw(rng, self.height, self.width, (0.15, 0.28))
            hidden = range(0)
            if rng.random() < 0.25:
                start = int(rng.integers(0, max(frames, 1)))
                hidden = range(start, start + int(rng.integers(4, 10)))
            pattern = Pattern.draw(rng, path.radius)
            things.append(_Thing(Outline.draw(rng), path, pattern, draw_pair(rng), hidden))
        return things + [self._plain(rng, (0.08, 0.18)) for _ in range(occluders)]

    def _plain(self, rng: np.random.Generator, radius: tuple[float, float]) -> _Thing:
        path = Path.draw(rng, self.height, self.width, radius)
        return _Thing(Outline.draw(rng), path, None, draw_pair(rng), range(0))

    def _scenery(self, rng: np.random.Generator, margin: int) -> NDArray[np.float32]:
        """Float32 (H + 2 margin, W + 2 margin, 3) RGB: clouds with plain shapes painted on them."""
        surface = smooth_surface(rng, self.height + 2 * margin, self.width + 2 * margin)
        ignored = np.zeros(surface.shape[:2], np.bool_)
        for _ in range(int(rng.integers(3, 9))):
            thing = self._plain(rng, (0.06, 0.25))
            place = Pose(
                float(rng.uniform(0, surface.shape[1])),
                float(rng.uniform(0, surface.shape[0])),
                thing.path.radius,
                thing.path.angle,
            )
            _draw(thing, place, surface, ignored)
        return surface


def _draw(thing: _Thing, pose: Pose, view: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Paint a thing over ``view`` (float32 (H, W, 3) RGB) and set or clear its ``mask`` pixels, in place."""
    reach = int(np.ceil(pose.radius * 1.6)) + 1
    top, left = max(int(pose.y) - reach, 0), max(int(pose.x) - reach, 0)
    bottom, right = int(pose.y) + reach + 1, int(pose.x) + reach + 1
    window = view[top : max(bottom, 0), left : max(right, 0)]
    if window.size == 0:
        return
    rows = np.arange(top, top + window.shape[0], dtype=np.float32)[:, None] - np.float32(pose.y)
    columns = np.arange(left, left + window.shape[1], dtype=np.float32)[None] - np.float32(pose.x)
    cosine = np.float32(np.cos(pose.angle) / pose.radius)
    sine = np.float32(np.sin(pose.angle) / pose.radius)
    u, v = columns * cosine + rows * sine, rows * cosine - columns * sine
    depth = thing.outline.depth(u, v)
    inside = thing.outline.inside(depth)
    shade = 1 - np.float32(0.35) * np.clip(depth, 0, 1)[..., None] ** 4
    if thing.pattern is not None:
        colour = thing.pattern.paint(u, v)
    else:
        share = np.clip(0.5 + 0.5 * u, 0, 1)[..., None]
        colour = thing.plain[0] * share + thing.plain[1] * (1 - share)
    window[inside] = (colour * shade)[inside]
    mask[top : top + window.shape[0], left : left + window.shape[1]][inside] = thing.pattern is not None
