"""World of prompted shapes: discs, rings and crosses in three colours on noise, asked for by 15 phrases."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.prompts.types import PromptedObject, PromptedPicture, Vocabulary
from deploy.store import canonical_json, sha256_bytes

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 45, 45),
    "green": (45, 200, 60),
    "blue": (55, 75, 225),
}
"""The middle of each colour's range, RGB 0..255; an object's own colour lies up to 20 levels from it."""

SHAPES = ("disc", "ring", "cross")

PARTS = {"training": 0, "validation": 1_000_000, "held_out": 2_000_000}
"""Index of each part's first picture: what picks a model (validation) never judges it (held out)."""

SMALLEST_SIDE = 24

_NEUTRAL = "shape"
_MOST_OBJECTS = 3
_VISIBLE = 0.5
_SPREAD = 20.0
_PROBES = 8


def shapes_vocabulary() -> Vocabulary:
    """Nine phrases of one concept (``red disc``), three colours (``red shape``), three shapes (``disc``).

    The neutral phrase ``shape`` means all nine concepts; it belongs to point and box prompts.
    """
    concepts = [f"{colour} {shape}" for colour, shape in itertools.product(COLOURS, SHAPES)]
    meanings = {concept: frozenset({concept}) for concept in concepts}
    for colour in COLOURS:
        meanings[f"{colour} shape"] = frozenset(c for c in concepts if c.startswith(f"{colour} "))
    for shape in SHAPES:
        meanings[shape] = frozenset(c for c in concepts if c.endswith(f" {shape}"))
    meanings[_NEUTRAL] = frozenset(concepts)
    return Vocabulary(meanings, _NEUTRAL, generic=(_NEUTRAL,))


class PromptedShapes:
    """A ``World`` of generated pictures, the same for the same arguments and index.

    A picture holds one to three objects; later ones lie in front, and a true mask is what can still be seen
    of its object. A picture in which an object would be hidden beyond half is drawn again.

    Args:
        count: number of pictures.
        seed: the world's seed.
        part: ``training``, ``validation`` or ``held_out``; no picture belongs to two parts.
        side: height and width in pixels, at least 24.
        empty: share 0..1 of pictures that show the usual background and no object.
        noise: share 0..1 of pictures that are noise of full range and nothing else.

    Raises:
        DeployError: ``WORLD-SETTINGS``.
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        *,
        part: str = "training",
        side: int = 32,
        empty: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        sizes = count >= 1 and seed >= 0 and side >= SMALLEST_SIDE
        if not (sizes and part in PARTS and min(empty, noise) >= 0 and empty + noise <= 1):
            raise DeployError(
                "WORLD-SETTINGS",
                f"A world of shapes cannot have count {count}, seed {seed}, side {side}, part {part!r}, "
                f"empty {empty}, noise {noise}.",
                f"Use a count from 1, a seed from 0, a side from {SMALLEST_SIDE}, one of "
                f"{', '.join(PARTS)}, and shares that sum to 1 at most.",
            )
        self.vocabulary = shapes_vocabulary()
        self._count, self._seed, self._part, self._side = count, seed, part, side
        self._empty, self._noise = empty, noise
        self.sha256 = self._digest()

    def __len__(self) -> int:
        return self._count

    def picture(self, index: int) -> PromptedPicture:
        """Picture ``index`` (0 up to the count); every picture has a random stream of its own."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        rng = np.random.default_rng([self._seed, self._side, PARTS[self._part] + index])
        name = f"shapes-{self._part.replace('_', '-')}-{index:06d}"
        fate = rng.random()
        size = (self._side, self._side, 3)
        if fate < self._noise:
            return PromptedPicture(name, rng.integers(0, 256, size, dtype=np.uint8), ())
        image = rng.uniform(40, 90) + rng.normal(0, 14, size)
        objects: tuple[PromptedObject, ...] = ()
        if fate >= self._noise + self._empty:
            objects = self._objects(rng)
            for each in objects:
                colour = np.array(COLOURS[each.concept.split()[0]]) + rng.uniform(-_SPREAD, _SPREAD, 3)
                image[each.mask] = colour + rng.normal(0, 8, (int(each.mask.sum()), 3))
        return PromptedPicture(name, np.clip(image, 0, 255).astype(np.uint8), objects)

    def _objects(self, rng: np.random.Generator) -> tuple[PromptedObject, ...]:
        while True:
            count = int(rng.integers(1, _MOST_OBJECTS + 1))
            whole = []
            for _ in range(count):
                colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
                shape = SHAPES[int(rng.integers(len(SHAPES)))]
                whole.append((f"{colour} {shape}", _draw(shape, self._side, rng)))
            seen, covered = [], np.zeros((self._side, self._side), np.bool_)
            for concept, mask in reversed(whole):
                seen.append((concept, mask & ~covered, mask))
                covered = covered | mask
            if all(visible.sum() >= _VISIBLE * full.sum() for _, visible, full in seen):
                return tuple(PromptedObject(visible, concept) for concept, visible, _ in reversed(seen))

    def _digest(self) -> str:
        """Hash of the settings and of some pictures, so that a change of the drawing shows as well."""
        settings = canonical_json(
            {
                "world": "prompted shapes",
                "count": self._count,
                "seed": self._seed,
                "part": self._part,
                "side": self._side,
                "empty": self._empty,
                "noise": self._noise,
            }
        )
        probes = b""
        for index in range(min(_PROBES, self._count)):
            picture = self.picture(index)
            probes += picture.image.tobytes()
            for each in picture.objects:
                probes += each.concept.encode() + np.packbits(each.mask).tobytes()
        return sha256_bytes(settings.encode() + probes)


def _draw(shape: str, side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A whole shape that lies inside the picture, bool (side, side): pixels whose centres it covers."""
    radius = float(rng.uniform(0.19, 0.31)) * side
    x, y = rng.uniform(radius, side - radius, 2)
    centres = np.arange(side) + 0.5
    across, down = np.abs(centres[None, :] - x), np.abs(centres[:, None] - y)
    far = np.hypot(across, down)
    if shape == "disc":
        return np.asarray(far <= radius, np.bool_)
    if shape == "ring":
        return np.asarray((far <= radius) & (far >= 0.5 * radius), np.bool_)
    arm = 0.32 * radius
    reach = (across <= radius) & (down <= radius)
    return np.asarray(reach & ((across <= arm) | (down <= arm)), np.bool_)
