"""Frames of the camera world behind the interface of the folder loaders."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import InstanceTruth, Truth
from deploy.store import sha256_bytes
from training.data.cctv.figures import CLASSES
from training.data.cctv.world import HEIGHT, WIDTH, CctvWorld, Frame, Part
from training.data.samples import Entry, EvaluationSet

_CACHE_BYTES = 192 << 20


def cctv_set(
    part: Part, visits: int, frames: int, seed: int = 0, *, height: int = HEIGHT, width: int = WIDTH
) -> EvaluationSet:
    """Frames with their boxes; a camera's visit is a group, so that splits fall between camera and time.

    Args:
        part: ``training``, ``validation`` (the same cameras at other times) or ``held_out`` (other cameras).
        visits: number of visits, cameras in turn.
        frames: frames of each visit.
        seed: the world's seed.
        height, width: picture size in pixels.
    """
    world = CctvWorld(seed, height, width)

    @lru_cache(maxsize=max(2, _CACHE_BYTES // (3 * frames * height * width)))
    def film(camera: int, visit: int) -> list[Frame]:
        return world.visit(camera, visit, frames)

    entries = []
    for camera, visit in world.visits(part, visits):
        group = group_name(camera, world, visit)
        for number in range(frames):
            read, digest = _reader(film, camera, visit, number), _digest(film, camera, visit, number)
            entries.append(Entry(f"{group}/{number:02d}", group, read, digest))
    return EvaluationSet("cctv", entries, labelled=True, class_names=CLASSES)


def group_name(camera: int, world: CctvWorld, visit: int) -> str:
    """The group of a visit's frames: camera and the time of the first one."""
    return f"camera-{camera}/{world.time(visit, 0):%Y%m%dT%H%M%S}"


def _reader(
    film: Callable[[int, int], list[Frame]], camera: int, visit: int, number: int
) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    def read() -> tuple[NDArray[np.uint8], Truth | None]:
        frame = film(camera, visit)[number]
        size = (frame.image.shape[0], frame.image.shape[1])
        return frame.image, InstanceTruth(size, frame.boxes, frame.classes)

    return read


def _digest(
    film: Callable[[int, int], list[Frame]], camera: int, visit: int, number: int
) -> Callable[[], str]:
    def digest() -> str:
        frame = film(camera, visit)[number]
        return sha256_bytes(frame.image.tobytes() + frame.boxes.tobytes() + frame.classes.tobytes())

    return digest
