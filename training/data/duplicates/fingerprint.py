"""What is remembered of a picture: its content's hash, 64 bits of its looks, and an eighth of its size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.store import sha256_bytes

BAND = 0.12
"""Share of the height, above and below, in which cameras print their clock; likeness is judged between."""

_JPEG = b"\xff\xd8\xff"
_SMALLEST = 12


@dataclass(frozen=True)
class Fingerprint:
    """``sha256``: of the file's bytes (or the pixels); ``looks``: 64 bits; ``thumb``: uint8 (h, w) grey."""

    sha256: str
    looks: int
    thumb: NDArray[np.uint8]


def of_file(path: Path) -> Fingerprint:
    """Read a picture once; raises ``FILE-UNREADABLE`` or ``IMAGE-UNREADABLE``."""
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from error
    thumb = _eighth(payload)
    if thumb is None:
        raise DeployError(
            "IMAGE-UNREADABLE",
            f"{path} is not a picture that can be decoded.",
            "Remove or replace that file.",
        )
    return Fingerprint(sha256_bytes(payload), looks_of(thumb), thumb)


def of_pixels(image: NDArray[np.uint8], sha256: str) -> Fingerprint:
    """The same from decoded pixels, uint8 (H, W, 3) RGB."""
    thumb = _shrunk(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))  # type: ignore[arg-type]
    return Fingerprint(sha256, looks_of(thumb), thumb)


def looks_of(thumb: NDArray[np.uint8]) -> int:
    """A difference hash (dHash) of what lies between the clock's bands: is each cell darker than the next?"""
    height = thumb.shape[0]
    skip = int(BAND * height)
    cells = cv2.resize(thumb[skip : height - skip], (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _eighth(payload: bytes) -> NDArray[np.uint8] | None:
    """JPEG files are decoded at an eighth: one number for each 8 x 8 block, three times as fast."""
    data = np.frombuffer(payload, np.uint8)
    if not data.size:
        return None
    if payload.startswith(_JPEG):
        thumb = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)
        if thumb is None or min(thumb.shape) >= _SMALLEST:
            return thumb  # type: ignore[return-value]
    whole = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return None if whole is None else _shrunk(whole)  # type: ignore[arg-type]


def _shrunk(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """To an eighth: the mean of each 8 x 8 block, edges padded, as libjpeg does; small pictures stay."""
    height, width = grey.shape
    if min(height, width) < 8 * _SMALLEST:
        return grey
    padded = cv2.copyMakeBorder(grey, 0, -height % 8, 0, -width % 8, cv2.BORDER_REPLICATE)
    size = (padded.shape[1] // 8, padded.shape[0] // 8)
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
