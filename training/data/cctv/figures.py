"""Drawings of a few pixels: people with and without helmets, and things that look like them.

They are drawn 8 times too large and averaged down, so that they can stand between two pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ("with_helmet", "without_helmet")
DECOYS = ("bollard", "cone", "sign", "barrel", "post")

_FINE = 8
"""Drawn pixels for each pixel of the frame."""

_HELMETS = ((245, 210, 40), (248, 248, 244), (250, 165, 40))
_HAIR = ((24, 20, 18), (48, 32, 24), (40, 40, 44))
_SKIN = ((225, 180, 150), (190, 140, 105), (150, 105, 80))
_CLOTHES = ((225, 105, 35), (170, 205, 60), (50, 65, 110), (140, 45, 45), (40, 95, 85))
_DULL = ((150, 45, 40), (60, 75, 130), (120, 118, 112), (70, 105, 70), (205, 195, 175))
"""What decoys are painted with, beside the colours of helmets."""


Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Sprite:
    """``colour``: float32 (h, w, 3) RGB; ``cover``: float32 (h, w) 0..1; both at ``_FINE`` times the size.
    The feet are in the middle of the lowest row."""

    colour: NDArray[np.float32]
    cover: NDArray[np.float32]


def person(rng: np.random.Generator, klass: int, height: float) -> Sprite:
    """A standing or walking person, ``height`` pixels tall, of class ``klass`` (see ``CLASSES``)."""
    tall = height * _FINE
    sprite = _blank(tall, 0.62 * tall)
    middle, head = sprite.cover.shape[1] / 2, tall * float(rng.uniform(0.28, 0.31))
    broad = tall * float(rng.uniform(0.3, 0.36))
    cloth, trousers = _vary(rng, _CLOTHES), _tone(rng, 25, 95)
    stride = tall * float(rng.uniform(0.05, 0.14))
    leg = max(2, round(broad * 0.34))
    hip, shoulder = tall * 0.58, head * 0.92
    for side in (-1, 1):
        foot = (middle + side * (stride + leg * 0.45), tall - leg / 2)
        _line(sprite, (middle + side * broad * 0.2, hip), foot, trousers, leg)
        hand = (middle + side * (broad * 0.5 + tall * float(rng.uniform(0.0, 0.07))), hip)
        _line(
            sprite, (middle + side * broad * 0.42, shoulder + leg / 2), hand, _darker(cloth), round(leg * 0.7)
        )
    _box(sprite, middle - broad / 2, shoulder, middle + broad / 2, hip + leg / 2, cloth)
    if rng.random() < 0.5:
        band = shoulder + (hip - shoulder) * float(rng.uniform(0.4, 0.7))
        _box(sprite, middle - broad / 2, band, middle + broad / 2, band + tall * 0.045, (235, 235, 225))
    radius = head * 0.5
    _disc(sprite, middle, radius, radius * 0.86, radius, _vary(rng, _SKIN))
    if CLASSES[klass] == "with_helmet":
        cap = _vary(rng, _HELMETS)
        _dome(sprite, middle, radius * 1.02, radius * 1.2, radius, cap)
        _box(sprite, middle - radius * 1.3, radius * 0.95, middle + radius * 1.3, radius * 1.2, _darker(cap))
    else:
        _dome(sprite, middle, radius * 0.85, radius * 0.95, radius * 0.85, _vary(rng, _HAIR))
    return sprite


def decoy(rng: np.random.Generator, kind: str, height: float) -> Sprite:
    """Something of a person's size and colours that is none (see ``DECOYS``)."""
    tall = height * _FINE
    sprite = _blank(tall, 0.8 * tall)
    middle, top = sprite.cover.shape[1] / 2, _vary(rng, _HELMETS if rng.random() < 0.6 else _DULL)
    body = _tone(rng, 40, 190)
    if kind == "bollard":
        half = tall * float(rng.uniform(0.1, 0.15))
        _box(sprite, middle - half, tall * 0.12, middle + half, tall, body)
        _disc(sprite, middle, tall * 0.14, half * 1.15, tall * 0.13, top)
        _box(sprite, middle - half, tall * 0.45, middle + half, tall * 0.6, top)
    elif kind == "cone":
        points = ((middle, 0.0), (middle + tall * 0.28, tall * 0.92), (middle - tall * 0.28, tall * 0.92))
        _polygon(sprite, points, top)
        _box(sprite, middle - tall * 0.33, tall * 0.9, middle + tall * 0.33, tall, _darker(top))
        _box(sprite, middle - tall * 0.14, tall * 0.4, middle + tall * 0.14, tall * 0.55, (238, 238, 235))
    elif kind == "sign":
        _line(sprite, (middle, tall * 0.3), (middle, tall - 2), (120, 120, 118), max(2, round(tall * 0.07)))
        _disc(sprite, middle, tall * 0.2, tall * 0.2, tall * 0.2, top)
        _disc(sprite, middle, tall * 0.2, tall * 0.11, tall * 0.1, _tone(rng, 20, 240))
    elif kind == "barrel":
        half = tall * float(rng.uniform(0.22, 0.3))
        _box(sprite, middle - half, tall * 0.2, middle + half, tall, body)
        _dome(sprite, middle, tall * 0.24, half, tall * 0.14, top)
    else:
        half = tall * 0.06
        _box(sprite, middle - half, 0, middle + half, tall, _tone(rng, 20, 90))
        _box(sprite, middle - half * 2.6, tall * 0.04, middle + half * 2.6, tall * 0.22, top)
    return sprite


def paste(frame: NDArray[np.float32], sprite: Sprite, x: float, y: float) -> NDArray[np.float32]:
    """Draw a sprite with its feet at ``x``, ``y`` (pixels), in place.

    Args:
        frame: float32 (H, W, 3) RGB 0..255.

    Returns:
        Its box, float32 (4,) x1 y1 x2 y2 in pixels, exact to an eighth, clipped to the frame.
    """
    high, wide = sprite.cover.shape
    left, top = round(x * _FINE - wide / 2), round(y * _FINE - high)
    first_x, first_y = left // _FINE, top // _FINE
    pad_x, pad_y = left - first_x * _FINE, top - first_y * _FINE
    cells_x, cells_y = -(-(pad_x + wide) // _FINE), -(-(pad_y + high) // _FINE)
    fine = np.zeros((cells_y * _FINE, cells_x * _FINE, 4), np.float32)
    inside = fine[pad_y : pad_y + high, pad_x : pad_x + wide]
    inside[..., :3] = sprite.colour * sprite.cover[..., None]
    inside[..., 3] = sprite.cover
    coarse = fine.reshape(cells_y, _FINE, cells_x, _FINE, 4).mean(axis=(1, 3))
    height, width = frame.shape[:2]
    x0, y0 = max(first_x, 0), max(first_y, 0)
    x1, y1 = min(first_x + cells_x, width), min(first_y + cells_y, height)
    if x0 < x1 and y0 < y1:
        part = coarse[y0 - first_y : y1 - first_y, x0 - first_x : x1 - first_x]
        frame[y0:y1, x0:x1] = frame[y0:y1, x0:x1] * (1 - part[..., 3:]) + part[..., :3]
    rows, columns = np.flatnonzero(sprite.cover.any(axis=1)), np.flatnonzero(sprite.cover.any(axis=0))
    box = np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1], np.float32)
    limit = np.array([width, height, width, height], np.float32)
    return np.clip(box / np.float32(_FINE), 0, limit)


def _blank(tall: float, wide: float) -> Sprite:
    shape = (max(8, round(tall)), max(8, round(wide)))
    return Sprite(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32))


def _vary(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> Colour:
    """One of the colours, a little off and in another light."""
    base = np.array(colours[int(rng.integers(len(colours)))], np.float64)
    return tuple(np.clip(base * rng.uniform(0.85, 1.05) + rng.normal(0, 5, 3), 8, 250).tolist())  # type: ignore[return-value]


def _tone(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A dull colour."""
    return tuple(np.clip(rng.uniform(low, high) + rng.normal(0, 8, 3), 5, 250).tolist())  # type: ignore[return-value]


def _darker(colour: Colour) -> Colour:
    return (colour[0] * 0.8, colour[1] * 0.8, colour[2] * 0.8)


def _line(
    sprite: Sprite, start: tuple[float, float], end: tuple[float, float], colour: Colour, thick: int
) -> None:
    a, b = (round(start[0]), round(start[1])), (round(end[0]), round(end[1]))
    cv2.line(sprite.colour, a, b, colour, max(1, thick))
    cv2.line(sprite.cover, a, b, 1.0, max(1, thick))  # type: ignore[call-overload]


def _box(sprite: Sprite, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    window = (slice(max(round(y0), 0), max(round(y1), 0)), slice(max(round(x0), 0), max(round(x1), 0)))
    sprite.colour[window], sprite.cover[window] = colour, 1.0


def _disc(sprite: Sprite, x: float, y: float, across: float, down: float, colour: Colour) -> None:
    _ellipse(sprite, x, y, across, down, 0, 360, colour)


def _dome(sprite: Sprite, x: float, y: float, across: float, down: float, colour: Colour) -> None:
    """The upper half of an ellipse."""
    _ellipse(sprite, x, y, across, down, 180, 360, colour)


def _ellipse(
    sprite: Sprite, x: float, y: float, across: float, down: float, start: int, stop: int, colour: Colour
) -> None:
    centre, axes = (round(x), round(y)), (max(1, round(across)), max(1, round(down)))
    cv2.ellipse(sprite.colour, centre, axes, 0, start, stop, colour, -1)
    cv2.ellipse(sprite.cover, centre, axes, 0, start, stop, 1.0, -1)  # type: ignore[call-overload]


def _polygon(sprite: Sprite, points: tuple[tuple[float, float], ...], colour: Colour) -> None:
    outline = np.rint(np.array(points)).astype(np.int32)
    cv2.fillPoly(sprite.colour, [outline], colour)
    cv2.fillPoly(sprite.cover, [outline], 1.0)  # type: ignore[call-overload]
