"""The exported detector of coloured squares, once for all tests of tiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.tiled.spots import export_spots


@pytest.fixture(scope="session")
def spots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Artifact folders by target, with a declared tiling."""
    root = tmp_path_factory.mktemp("spots")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POCKETPROOF_CACHE", str(root / "cache"))
        return export_spots(root)
