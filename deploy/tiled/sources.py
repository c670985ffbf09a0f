"""What ``deploy detect`` can look at: a folder of pictures, one picture, or a video in stretches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.jobs.protocol import Item
from deploy.store import sha256_file
from deploy.vision.images import SUFFIXES, list_images, pixel_digest, read_rgb

STRETCH = 64
"""Frames of a video that are one item of work: so many are lost at most, and so often one must seek."""


@dataclass(frozen=True)
class Picture:
    """A picture file. ``name``: its path below the folder that was named."""

    path: str
    name: str


@dataclass(frozen=True)
class Stretch:
    """Frames ``start`` to ``stop`` (not included) of a video."""

    path: str
    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class Seen:
    """A decoded picture. ``name``: as in results; ``sha256``: of the file, or of a frame's pixels."""

    name: str
    sha256: str
    image: NDArray[np.uint8]


def items_of(source: Path) -> list[Item]:
    """The items of a source, in a stable order; size and time of change stand in every key.

    Raises:
        DeployError: ``NO-PICTURES`` or ``VIDEO-UNREADABLE``.
    """
    if source.is_dir():
        paths = list_images(source)
        if not paths:
            raise DeployError(
                "NO-PICTURES",
                f"{source} holds no pictures.",
                f"Put pictures there ({', '.join(sorted(SUFFIXES))}), or name another folder.",
            )
        return [_picture(path, path.relative_to(source).as_posix()) for path in paths]
    if source.suffix.lower() in SUFFIXES:
        return [_picture(source, source.name)]
    return _stretches(source)


def seen(payload: Picture | Stretch) -> Iterator[Seen]:
    """The pictures of an item, decoded one at a time: uint8 (H, W, 3) RGB."""
    if isinstance(payload, Picture):
        yield Seen(payload.name, sha256_file(Path(payload.path)), read_rgb(Path(payload.path)))
        return
    video = _open(Path(payload.path))
    video.set(cv2.CAP_PROP_POS_FRAMES, payload.start)
    for number in range(payload.start, payload.stop):
        there, frame = video.read()
        if not there:
            return  # containers often promise a few frames more than they hold
        image: NDArray[np.uint8] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[assignment]
        yield Seen(f"{payload.name}#{number:06d}", pixel_digest(image), image)


def _picture(path: Path, name: str) -> Item:
    return Item(_key(path, name), Picture(str(path.resolve()), name))


def _stretches(source: Path) -> list[Item]:
    count = int(_open(source).get(cv2.CAP_PROP_FRAME_COUNT))
    if count <= 0:
        raise _unreadable(source)
    return [
        Item(
            f"{_key(source, source.name)}#{start}",
            Stretch(str(source.resolve()), source.name, start, min(start + STRETCH, count)),
        )
        for start in range(0, count, STRETCH)
    ]


def _key(path: Path, name: str) -> str:
    """The file's name and what changes when it is written again; reading all its bytes would take hours."""
    try:
        facts = path.stat()
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from error
    return f"{name}|{facts.st_size}|{facts.st_mtime_ns}"


def _open(path: Path) -> cv2.VideoCapture:
    video = cv2.VideoCapture(str(path)) if path.is_file() else None
    if video is None or not video.isOpened():
        raise _unreadable(path)
    return video


def _unreadable(path: Path) -> DeployError:
    return DeployError(
        "VIDEO-UNREADABLE",
        f"{path} is neither a folder, nor a picture, nor a video that OpenCV can read.",
        "Name a folder of pictures, a picture or a video file.",
    )
