"""Fixtures of the bench tests: artifact folders with a hand-made ONNX model, and results of benching them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.contracts.plan import WarmUp
from deploy.store import sha256_file
from device_bench.plans import Measure
from device_bench.session import Request, bench
from tests.device_bench.bright import MakeArtifact, build_artifact


@dataclass(frozen=True)
class Results:
    """Results folders made once; ``copy`` gives a test one that it may break."""

    made: Path
    place: Path

    def copy(self, name: str) -> Path:
        """The results of artifact ``name`` in the test's own folder."""
        return Path(shutil.copytree(self.made / f"{name}-desktop", self.place / f"{name}-desktop"))


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``reference``, and two exports of it: ``exact`` and ``shifted`` (a threshold that is a little off)."""
    root = tmp_path_factory.mktemp("artifacts")
    reference = build_artifact(root / "reference", role="reference")
    digest = sha256_file(reference / "model.onnx")
    build_artifact(root / "exact", reference_sha256=digest)
    build_artifact(root / "shifted", bias=-12.5, reference_sha256=digest, precision="int8")
    return root


@pytest.fixture(scope="session")
def made_results(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of both exports."""
    out = tmp_path_factory.mktemp("results")
    measure = Measure(200_000_000, 1, max_iterations=150, warm_up=WarmUp(min_ns=0, max_ns=50_000_000))
    list(bench(Request((artifacts / "exact", artifacts / "shifted"), measure, out=out), lambda *_: None))
    return out


@pytest.fixture
def results(made_results: Path, tmp_path: Path) -> Results:
    """Copies of ready results."""
    return Results(made_results, tmp_path / "results")


@pytest.fixture
def make_artifact(tmp_path: Path) -> MakeArtifact:
    """Build an artifact folder of a test's own."""

    def make(name: str = "mine", **changes: Any) -> Path:
        return build_artifact(tmp_path / "artifacts" / name, **changes)

    return make
