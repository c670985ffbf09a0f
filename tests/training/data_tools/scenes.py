"""Small data sets for the data tools: pictures that differ, and boxes on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture

NAMES = ("helmet", "head", "person")


def photo(seed: int, height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    """Uint8 (H, W, 3) with the low frequencies of a photograph."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 20), max(2, width // 20), 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-6, 7, picture.shape)
    return np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def write_photo(path: Path, image: NDArray[np.uint8], quality: int = 92) -> Path:
    """Write a picture by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    assert cv2.imwrite(str(path), image, how)
    return path


def boxes(rng: np.random.Generator, count: int, height: int, width: int) -> NDArray[np.float64]:
    """Float64 (N, 4) x1 y1 x2 y2 inside the picture."""
    low = rng.uniform(0, (width - 12, height - 12), (count, 2))
    high = np.minimum(low + rng.uniform(4, 30, (count, 2)), (width, height))
    return np.concatenate([low, high], axis=1)


def folder(root: Path, names: list[str], seed: int = 0, size: tuple[int, int] = (120, 160)) -> LabelledFolder:
    """Pictures below ``root/images`` with up to 6 boxes each, every third one empty."""
    rng = np.random.default_rng(seed)
    pictures = []
    for number, name in enumerate(names):
        path = write_photo(root / "images" / f"{name}.jpg", photo(seed * 1000 + number, *size))
        count = 0 if number % 3 == 2 else int(rng.integers(1, 7))
        found = [
            LabelledObject(int(rng.integers(3)), tuple(box))  # type: ignore[arg-type]
            for box in boxes(rng, count, *size).tolist()
        ]
        pictures.append(LabelledPicture(name, path, size, tuple(found)))
    return LabelledFolder(NAMES, tuple(pictures))


def write_yolo(root: Path, found: LabelledFolder) -> Path:
    """Label files and ``data.yaml`` for pictures that lie in ``root/images``."""
    for picture in found.pictures:
        lines = []
        for each in picture.objects:
            left, top, right, bottom = each.box
            (height, width), middle = picture.size, ((left + right) / 2, (top + bottom) / 2)
            values = (middle[0] / width, middle[1] / height, (right - left) / width, (bottom - top) / height)
            lines.append(" ".join([str(each.klass), *(f"{value:.12g}" for value in values)]) + "\n")
        path = root / "labels" / f"{picture.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    (root / "data.yaml").write_text(f"names: [{', '.join(NAMES)}]\n")
    return root
