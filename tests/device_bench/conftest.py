"""Fixtures of the bench tests: artifact folders with a hand-made ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.store import sha256_file
from tests.device_bench.bright import MakeArtifact, build_artifact


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``reference``, and two exports of it: ``exact`` and ``shifted`` (a threshold that is a little off)."""
    root = tmp_path_factory.mktemp("artifacts")
    reference = build_artifact(root / "reference", role="reference")
    digest = sha256_file(reference / "model.onnx")
    build_artifact(root / "exact", reference_sha256=digest)
    build_artifact(root / "shifted", bias=-12.5, reference_sha256=digest, precision="int8")
    return root


@pytest.fixture
def make_artifact(tmp_path: Path) -> MakeArtifact:
    """Build an artifact folder of a test's own."""

    def make(name: str = "mine", **changes: Any) -> Path:
        return build_artifact(tmp_path / "artifacts" / name, **changes)

    return make
