"""Strips of small frames with masks drawn in: truth, reference and artifacts one under the other."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.plan import Clip
from deploy.errors import DeployError
from deploy.vision.images import read_mask, read_rgb

COLUMNS = 6
WIDTH = 240
JPEG_QUALITY = 78
FILL = np.array([38, 166, 154], np.float32)
EXTRA = np.array([239, 71, 67], np.float32)
MISSED = np.array([255, 214, 10], np.float32)


@dataclass(frozen=True)
class Strip:
    """One row of thumbnails as ``data:`` addresses; ``None`` where there is no picture."""

    label: str
    pictures: tuple[str | None, ...]
    taints: tuple[str, ...] = ()
    note: str = ""


def frame_indices(clip: Clip, columns: int = COLUMNS) -> list[int]:
    """Evenly spaced frames of a clip, first and last among them."""
    count = min(columns, len(clip.frames))
    return [int(index) for index in np.linspace(0, len(clip.frames) - 1, count).round()]


def truth_strip(folder: Path, clip: Clip) -> Strip | None:
    """The true masks, or ``None`` when the clip has none."""
    if not any(frame.mask for frame in clip.frames):
        return None
    names = [clip.frames[index].mask for index in frame_indices(clip)]
    return Strip("truth", _pictures(folder, clip, names, [None] * len(names), folder))


def mask_strip(
    label: str,
    folder: Path,
    clip: Clip,
    masks: Path,
    names: tuple[str, ...],
    taints: tuple[str, ...] = (),
    note: str = "",
) -> Strip:
    """Masks below ``masks``; pixels that differ from the truth (if known) are red or yellow."""
    indices = frame_indices(clip)
    own = [names[index] if index < len(names) else None for index in indices]
    truths = [clip.frames[index].mask for index in indices]
    return Strip(label, _pictures(folder, clip, own, truths, masks), taints, note)


def same_masks(
    clip: Clip, one: Path, names: tuple[str, ...], other: Path, other_names: tuple[str, ...]
) -> bool:
    """Whether the masks of two folders are equal, pixel by pixel, on every frame that a strip shows."""
    shown = frame_indices(clip)
    if len(names) != len(clip.frames) or len(other_names) != len(clip.frames):
        return False
    try:
        return all(
            np.array_equal(read_mask(one / names[index]), read_mask(other / other_names[index]))
            for index in shown
        )
    except DeployError:
        return False


def _pictures(
    folder: Path, clip: Clip, names: list[str | None], truths: list[str | None], masks: Path
) -> tuple[str | None, ...]:
    drawn: list[str | None] = []
    for index, name, truth in zip(frame_indices(clip), names, truths, strict=True):
        try:
            image = read_rgb(folder / clip.frames[index].file)
            mask = read_mask(masks / name) if name else None
            true = read_mask(folder / truth) if truth else None
        except DeployError:
            drawn.append(None)
            continue
        drawn.append(_address(draw(image, mask, true)))
    return tuple(drawn)


def draw(
    image: NDArray[np.uint8], mask: NDArray[np.bool_] | None, truth: NDArray[np.bool_] | None
) -> NDArray[np.uint8]:
    """A thumbnail, uint8 (h, 240, 3) RGB: the mask tinted and outlined.

    What it marks beyond the truth is red, what it misses is yellow.
    """
    height = max(1, round(image.shape[0] * WIDTH / image.shape[1]))
    size = (WIDTH, height)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if mask is None:
        return small.astype(np.uint8)
    inside = _shrink(mask, size)
    grey = small.mean(axis=2, keepdims=True)
    small = np.where(inside[..., None], small, 0.55 * small + 0.25 * grey)
    small[inside] = 0.55 * small[inside] + 0.45 * FILL
    if truth is not None:
        true = _shrink(truth, size)
        for wrong, colour in ((inside & ~true, EXTRA), (true & ~inside, MISSED)):
            small[wrong] = 0.25 * small[wrong] + 0.75 * colour
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    canvas = np.ascontiguousarray(small.clip(0, 255).astype(np.uint8))
    cv2.drawContours(canvas, contours, -1, (240, 255, 253), 1, cv2.LINE_AA)
    return canvas


def _shrink(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A bool mask at thumbnail size (width, height), by area majority."""
    small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small >= 128)


def _address(image: NDArray[np.uint8]) -> str:
    ok, payload = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert ok
    return "data:image/jpeg;base64," + base64.b64encode(payload.tobytes()).decode("ascii")
