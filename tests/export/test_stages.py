"""The line under a row that says at which stage of its conversion a file lost what it lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.contracts.artifact import MANIFEST, Artifact, Parity, ParityHop
from deploy.store import sha256_file
from export.evaluation.stages import stage_line, stage_lines
from tests.device_bench.bright import build_artifact


def hop(name: str, decibels: float | None, status: Any = "PASS") -> ParityHop:
    return ParityHop(hop=f"captured -> {name}", status=status, sqnr_db=decibels)


def line(tmp_path: Path, *hops: ParityHop, before: tuple[ParityHop, ...] = ()) -> str | None:
    folder = build_artifact(tmp_path / "one", clip=False)
    artifact = Artifact.load(folder / MANIFEST)
    parity = Parity(status="PASS", samples=1, hops=hops)
    return stage_line(artifact.model_copy(update={"parity": parity}), before)


def test_every_stage_and_the_one_that_added_most_noise(tmp_path: Path) -> None:
    captured = ParityHop(hop="eager -> captured", status="PASS", sqnr_db=200.0)
    found = line(tmp_path, hop("fp32 ONNX graph", 120.0), hop("file", 55.0), before=(captured,))
    assert found == "torch → captured 200 dB → fp32 ONNX graph 120 dB → file 55 dB: most was lost at file"


def test_the_first_stage_out_of_tolerance_is_to_blame(tmp_path: Path) -> None:
    found = line(tmp_path, hop("fake-quant", 4.0, "FAIL"), hop("file", 3.0, "FAIL"))
    assert found == "torch → fake-quant 4 dB → file 3 dB: blame fake-quant"


def test_unknown_and_exact_stages(tmp_path: Path) -> None:
    found = line(tmp_path, hop("graph", 200.0), hop("file", None, "UNKNOWN"))
    assert found == "torch → graph 200 dB → file UNKNOWN: nothing was lost on the way"


def test_an_artifact_without_stages_has_no_line(tmp_path: Path) -> None:
    assert line(tmp_path) is None


def test_lines_are_found_by_the_models_hash(tmp_path: Path) -> None:
    folder = build_artifact(tmp_path / "one", clip=False)
    artifact = Artifact.load(folder / MANIFEST)
    parity = Parity(status="PASS", samples=1, hops=(hop("file", 90.0),))
    artifact.model_copy(update={"parity": parity}).save(folder / MANIFEST)
    digest = sha256_file(folder / "model.onnx")
    assert stage_lines([folder, tmp_path / "theirs.onnx"]) == {
        digest: "torch → file 90 dB: most was lost at file"
    }
