"""Read and write pictures as RGB arrays; what cannot be read is an error, never a black frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.store import sha256_bytes, write_atomic

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Decode a picture to uint8 (H, W, 3) RGB; EXIF rotation is applied. Raises ``IMAGE-UNREADABLE``."""
    return cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Decode a mask picture to bool (H, W): every non-zero pixel is foreground."""
    image = _read(path, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3:
        image = image[..., :3].max(axis=2)
    return image > 0  # type: ignore[no-any-return]


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write uint8 (H, W, 3) RGB or (H, W) grey as PNG, atomically."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    ok, encoded = cv2.imencode(".png", pixels)
    if not ok:
        raise DeployError("IMAGE-UNWRITABLE", f"{path} could not be encoded.", "Check the picture's shape.")
    write_atomic(path, encoded.tobytes())


def pixel_digest(image: NDArray[np.uint8]) -> str:
    """Hex SHA-256 of decoded pixels (H, W, 3), whatever the file was called."""
    return sha256_bytes(str(image.shape).encode() + image.tobytes())


def list_images(folder: Path) -> list[Path]:
    """The pictures of a folder and its sub-folders, sorted by path."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _read(path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        payload = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DeployError(
            "FILE-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from error
    image = cv2.imdecode(payload, flags) if payload.size else None
    if image is None:
        raise DeployError(
            "IMAGE-UNREADABLE",
            f"{path} is not a picture that can be decoded.",
            "Remove or replace that file.",
        )
    return image  # type: ignore[return-value]
