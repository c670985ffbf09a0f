"""Fixtures of the export tests: toy packages with caches of their own, and targets that end badly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.runtimes import RUNTIMES
from export.targets import TARGETS
from tests.export import fakes
from tests.export.toys import Toy, make_toy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A fresh package of small models in the test's own folder."""
    return make_toy(tmp_path, monkeypatch)


@pytest.fixture
def plates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fakes on this process's door plates."""
    monkeypatch.setattr(TARGETS, "lines", dict(TARGETS.lines))
    monkeypatch.setattr(RUNTIMES, "lines", dict(RUNTIMES.lines))
    fakes.install()


@pytest.fixture
def in_process(plates: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[fakes.InProcess]]:
    """Converters run in this process; counts how often the flow asked for them."""
    monkeypatch.setattr("export.build.Workers", fakes.InProcess)
    fakes.InProcess.started = 0
    yield fakes.InProcess


@pytest.fixture
def processes(plates: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real worker processes that know the fakes too."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import tests.export.fakes\ntests.export.fakes.install()\n")
    monkeypatch.setenv("PYTHONPATH", f"{site}:{ROOT}")


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read and run in this process: for tests that are not about processes and have many files."""
    for module in (
        "export.evaluation.runner",
        "export.foreign.adopt",
        "export.selftest.trial",
        "export.lint.flow",
    ):
        monkeypatch.setattr(f"{module}.in_process", fakes.inline)
