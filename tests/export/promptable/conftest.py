"""A tiny run of two epochs, exported once as ONNX bundles; tests that break one get a copy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from export.bundles.flow import Bundled, build_bundles
from export.request import ExportRequest
from tests.export.fakes import InProcess, inline
from tests.training.distill.tiny import TINY
from training.run import train

REFERENCE, EXPORTED = "prompts-reference", "prompts-onnx-fp16"


def quick_request(run: Path, out: Path) -> ExportRequest:
    """ONNX at fp16 and one phrase more than the run has."""
    return ExportRequest(
        spec=str(run), targets=("onnx",), precisions=("fp16",), out=out, phrases=("red disc now",)
    )


@dataclass(frozen=True)
class Made:
    """The run, its bundles' folder, what the flow said, and the cache that they came from."""

    run: Path
    out: Path
    results: list[Bundled]
    cache: Path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Trained and exported once; converters and encoders run in this process."""
    root = tmp_path_factory.mktemp("bundles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POCKETPROOF_CACHE", str(root / "cache"))
        patch.setattr("export.build.Workers", InProcess)
        patch.setattr("export.bundles.phrases.in_process", inline)
        train("promptable_masks", root / "prompts", TINY)
        results = build_bundles(quick_request(root / "prompts", root / "artifacts"))
    return Made(root / "prompts", root / "artifacts", results, root / "cache")


@pytest.fixture
def bundles(made: Made, tmp_path: Path) -> Path:
    """A copy of the bundles' folder that a test may break."""
    return Path(shutil.copytree(made.out, tmp_path / "artifacts"))
