"""Real pictures and masks beside the project; tests that need them skip, by name, where they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

DAVIS_SEQUENCES = ("blackswan", "bmx-trees", "car-shadow", "dog", "libby")
DAVIS_METHODS = ("osvos", "rvos")


def data_root() -> Path:
    """``POCKETPROOF_DATA`` where it is set, else ``shared/data`` beside the repository."""
    named = os.environ.get("POCKETPROOF_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"


def needs(name: str) -> Path:
    """The folder of one data set; skips the test, naming the set, where it is absent."""
    folder = data_root() / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not there (set POCKETPROOF_DATA to the folder that holds it)")
    return folder


def davis_frames(root: Path, sequence: str) -> NDArray[np.uint8]:
    """Pictures of a sequence, uint8 RGB (T, H, W, 3)."""
    paths = sorted((root / "JPEGImages/480p" / sequence).glob("*.jpg"))
    return np.array([cv2.imread(str(path))[..., ::-1] for path in paths])


def davis_truth(root: Path, sequence: str) -> NDArray[np.bool_]:
    """True masks of a sequence, bool (T, H, W)."""
    return _masks(root / "Annotations/480p" / sequence)


def davis_prediction(root: Path, method: str, sequence: str) -> NDArray[np.bool_]:
    """Published masks of a method, bool (T, H, W)."""
    return _masks(root / "predictions" / method / sequence)


def _masks(folder: Path) -> NDArray[np.bool_]:
    paths = sorted(folder.glob("*.png"))
    return np.array([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0 for path in paths])
