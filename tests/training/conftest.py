"""A small folder of camera frames, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.cctv.writer import write_cctv


@pytest.fixture(scope="session")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine visits of one frame to three cameras, in YOLO layout."""
    out = tmp_path_factory.mktemp("cameras") / "data"
    write_cctv(out, "training", 9, 1, seed=0)
    return out
