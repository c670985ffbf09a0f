"""Verification: the same samples through reference and exports, and what stops it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import cli
from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.decode import ClassifyDecode
from deploy.errors import DeployError
from deploy.store import sha256_file
from deploy.vision.images import write_png
from export.evaluation.data import picture_digest
from export.verify import VerifyRequest, verify
from tests.device_bench.bright import build_artifact, picture, save_model
from training.data.folders import open_folder

SAMPLES = 8


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A reference, an exact export of it, and a shifted one."""
    root = tmp_path / "artifacts"
    reference = build_artifact(root / "bright-reference", role="reference", clip=False, name="bright")
    digest = sha256_file(reference / "model.onnx")
    common: dict[str, Any] = {"reference_sha256": digest, "clip": False, "name": "bright"}
    build_artifact(root / "bright-exact", **common)
    build_artifact(root / "bright-shifted", bias=-17.0, precision="fp16", **common)
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight pictures with their true masks."""
    root = tmp_path / "data"
    for index in range(SAMPLES):
        image, mask = picture(index)
        write_png(root / "images" / f"{index}.png", image)
        write_png(root / "masks" / f"{index}.png", mask.astype(np.uint8) * 255)
    return root


def ask(*artifacts: Path, data: Path | None, **changes: Any) -> VerifyRequest:
    request = VerifyRequest(
        artifacts=artifacts,
        data=data,
        reference=None,
        metric=None,
        budget=0.01,
        limit=None,
        replicates=200,
        with_slices=True,
        seed=0,
        threads=2,
    )
    return replace(request, **changes)


def refused(request: VerifyRequest) -> DeployError:
    with pytest.raises(DeployError) as caught:
        verify(request)
    return caught.value


def change(folder: Path, **fields: Any) -> Path:
    """Rewrite a manifest with other facts."""
    artifact = Artifact.load(folder / MANIFEST).model_copy(update=fields)
    artifact.save(folder / MANIFEST)
    return folder


def rows(report: AccuracyReport) -> dict[str, AccuracyRow]:
    return {row.precision: row for row in report.rows}


# figures


@pytest.mark.usefixtures("inline")
def test_an_exact_export_loses_nothing_and_a_shifted_one_fails(artifacts: Path, data: Path) -> None:
    (report,) = verify(ask(*sorted(artifacts.iterdir()), data=data))
    assert (report.data.samples, report.data.labelled, report.data.layout) == (SAMPLES, True, "image_masks")
    exact, shifted = rows(report)["fp32"], rows(report)["fp16"]
    assert exact.verdict.outcome == "PASS"
    assert exact.agreement == 1.0
    for figures in exact.figures:
        assert (figures.drop, figures.low, figures.high) == (0.0, 0.0, 0.0)
        assert figures.reference == figures.value > 0.8
    assert shifted.verdict.outcome == "FAIL"
    primary = next(f for f in shifted.figures if f.metric == report.primary_metric)
    assert 0.01 < primary.low <= primary.drop <= primary.high
    assert shifted.agreement is not None
    assert shifted.agreement < 0.99
    assert AccuracyReport.parse(report.to_json(), "here") == report


@pytest.mark.usefixtures("inline", "plates")
def test_the_command_writes_the_report_and_its_exit_code(
    artifacts: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--data", str(data), "--out", str(tmp_path / "results"), "--replicates", "200", "--json"]
    exact, shifted = str(artifacts / "bright-exact"), str(artifacts / "bright-shifted")
    assert cli.run(["verify", exact, *common]) == 0
    payload = json.loads(capsys.readouterr().out)
    saved = AccuracyReport.load(Path(payload["files"][0]))
    assert saved.to_json() == payload["reports"][0]
    assert cli.run(["verify", exact, shifted, *common]) == 3
    capsys.readouterr()
    assert cli.run(["verify", exact, shifted, *common, "--budget", "1.5"]) == 0
    capsys.readouterr()
    unknown = change(artifacts / "bright-shifted", target="absent")
    assert cli.run(["verify", exact, str(unknown), *common]) == 4
    assert cli.run(["verify", exact, str(unknown), *common, "--allow-unknown"]) == 0


@pytest.mark.usefixtures("inline", "plates")
def test_what_cannot_run_here_is_unknown_with_its_reason(artifacts: Path, data: Path) -> None:
    change(artifacts / "bright-shifted", target="absent")
    (report,) = verify(ask(artifacts / "bright-exact", artifacts / "bright-shifted", data=data))
    row = rows(report)["fp16"]
    assert (row.status, row.verdict.outcome) == ("UNKNOWN", "UNKNOWN")
    assert "Mac" in str(row.reason)
    assert row.figures == ()
    assert rows(report)["fp32"].verdict.outcome == "PASS"


@pytest.mark.usefixtures("inline")
def test_pictures_without_labels_are_judged_by_agreement(artifacts: Path, data: Path) -> None:
    shutil.rmtree(data / "masks")
    request = ask(artifacts / "bright-exact", artifacts / "bright-shifted", data=data)
    (report,) = verify(request)
    assert (report.primary_metric, report.data.labelled) == ("agreement", False)
    exact, shifted = rows(report)["fp32"], rows(report)["fp16"]
    assert exact.verdict.outcome == "PASS"
    assert [f.value for f in exact.figures] == [1.0]
    assert shifted.verdict.outcome == "FAIL"
    assert shifted.figures[0].drop == pytest.approx(1 - shifted.agreement)  # type: ignore[operator]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac loads it with Apple's own framework")
@pytest.mark.usefixtures("inline")
def test_a_file_that_the_emulator_refuses_stops_nobody_else(artifacts: Path, data: Path) -> None:
    change(artifacts / "bright-shifted", target="coreml")
    (report,) = verify(ask(artifacts / "bright-exact", artifacts / "bright-shifted", data=data))
    row = rows(report)["fp16"]
    assert (row.status, row.taints) == ("UNKNOWN", ("EMULATED-COREML",))
    assert rows(report)["fp32"].verdict.outcome == "PASS"


@pytest.mark.slow
def test_models_are_told_apart_by_their_reference(artifacts: Path, data: Path, tmp_path: Path) -> None:
    other = build_artifact(
        artifacts / "other-reference", role="reference", bias=-9.0, clip=False, name="bright"
    )
    digest = sha256_file(other / "model.onnx")
    build_artifact(artifacts / "other-exact", bias=-9.0, reference_sha256=digest, clip=False, name="bright")
    folders = sorted(artifacts.iterdir())
    reports = verify(ask(*folders, data=data))
    assert len({report.reference_sha256 for report in reports}) == len(reports) == 2
    assert sorted(len(report.rows) for report in reports) == [1, 2]
    out = tmp_path / "results"
    names = [str(folder) for folder in folders]
    cli.run(["verify", *names, "--data", str(data), "--out", str(out), "--replicates", "200"])
    saved = [AccuracyReport.load(path) for path in out.rglob("accuracy.json")]
    assert {report.reference_sha256 for report in saved} == {report.reference_sha256 for report in reports}


@pytest.mark.usefixtures("inline")
def test_limit_takes_evenly_spread_samples(artifacts: Path, data: Path) -> None:
    (report,) = verify(ask(artifacts / "bright-exact", data=data, limit=4))
    assert report.data.samples == 4
    assert all(figures.samples == 4 for row in report.rows for figures in row.figures)


@pytest.mark.usefixtures("inline")
def test_generated_clips_where_no_data_is_named(artifacts: Path) -> None:
    (report,) = verify(ask(artifacts / "bright-exact", data=None, limit=6))
    assert report.data.path == "generated clips"
    assert (report.data.samples, report.data.labelled) == (6, True)
    assert all(figures.drop == 0.0 for row in report.rows for figures in row.figures)


# crashes


def test_a_runtime_that_crashes_is_unknown_with_the_signals_name(
    artifacts: Path, data: Path, processes: None
) -> None:
    change(artifacts / "bright-shifted", target="aborting")
    (report,) = verify(ask(artifacts / "bright-exact", artifacts / "bright-shifted", data=data))
    row = rows(report)["fp16"]
    assert (row.status, row.verdict.outcome) == ("UNKNOWN", "UNKNOWN")
    assert "SIGABRT" in str(row.reason)
    assert rows(report)["fp32"].verdict.outcome == "PASS"


@pytest.mark.usefixtures("inline")
def test_a_model_its_runtime_refuses_is_unknown(artifacts: Path, data: Path) -> None:
    broken = artifacts / "bright-shifted"
    (broken / "model.onnx").write_bytes(b"no model")
    change(broken, model_sha256=sha256_file(broken / "model.onnx"))
    (report,) = verify(ask(artifacts / "bright-exact", broken, data=data))
    assert "cannot load model.onnx" in str(rows(report)["fp16"].reason)


def test_a_reference_that_cannot_run_is_an_error(artifacts: Path, data: Path, processes: None) -> None:
    change(artifacts / "bright-reference", target="aborting")
    error = refused(ask(artifacts / "bright-exact", data=data))
    assert error.error_id == "REFERENCE-FAILED"
    assert "SIGABRT" in error.summary


@pytest.mark.slow
def test_ctrl_c_ends_verify_and_its_processes(artifacts: Path, data: Path, processes: None) -> None:
    change(artifacts / "bright-shifted", target="waiting")
    mark = artifacts / "bright-shifted" / "asked"
    folders = [str(artifacts / "bright-exact"), str(artifacts / "bright-shifted")]
    flow = subprocess.Popen(
        [sys.executable, "-m", "deploy", "verify", *folders, "--data", str(data)],
        cwd=artifacts.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    limit = time.monotonic() + 120
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < limit, "the runtime was never asked"
        time.sleep(0.1)
    flow.send_signal(signal.SIGINT)
    _, shown = flow.communicate(timeout=120)
    assert flow.returncode == 130
    assert "Traceback" not in shown
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert not (artifacts.parent / "results").exists()


# refusals


def test_a_changed_model_file(artifacts: Path, data: Path) -> None:
    save_model(artifacts / "bright-exact" / "model.onnx", bias=-11.0)
    error = refused(ask(artifacts / "bright-exact", data=data))
    assert error.error_id == "ARTIFACT-CHANGED"
    assert "bright-exact" in error.summary
    save_model(artifacts / "bright-reference" / "model.onnx", bias=-11.0)
    error = refused(ask(artifacts / "bright-shifted", data=data))
    assert error.error_id == "ARTIFACT-CHANGED"
    assert "bright-reference" in error.summary
    (artifacts / "bright-shifted" / "model.onnx").unlink()
    assert refused(ask(artifacts / "bright-shifted", data=data)).error_id == "MODEL-MISSING"


def test_a_manifest_of_another_schema_version(artifacts: Path, data: Path) -> None:
    path = artifacts / "bright-exact" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 7}))
    error = refused(ask(artifacts / "bright-exact", data=data))
    assert error.error_id == "SCHEMA-VERSION"
    assert "version 7" in error.summary
    assert "version 7" in error.remedy


@pytest.mark.usefixtures("inline")
def test_references(artifacts: Path, data: Path, tmp_path: Path) -> None:
    exact = artifacts / "bright-exact"
    other = build_artifact(tmp_path / "other", role="reference", bias=-3.0, clip=False)
    error = refused(ask(exact, data=data, reference=other))
    assert (error.error_id, error.exit_code) == ("REFERENCE-MISMATCH", 5)
    assert refused(ask(artifacts / "bright-reference", data=data)).error_id == "NOTHING-TO-VERIFY"
    moved = tmp_path / "moved"
    (artifacts / "bright-reference").rename(moved)
    error = refused(ask(exact, data=data))
    assert error.error_id == "REFERENCE-MISSING"
    assert "--reference" in error.remedy
    (report,) = verify(ask(exact, data=data, reference=moved, limit=2))
    assert report.rows[0].verdict.outcome == "PASS"


@pytest.mark.usefixtures("inline")
def test_calibration_pictures_among_the_evaluation_pictures(artifacts: Path, data: Path) -> None:
    samples = open_folder(data, "binary_mask")
    leaked = picture_digest(samples, 3)
    change(artifacts / "bright-shifted", calibration_samples=("0" * 64, leaked))
    error = refused(ask(artifacts / "bright-exact", artifacts / "bright-shifted", data=data))
    assert (error.error_id, error.exit_code) == ("CALIBRATION-LEAK", 5)
    assert f"1 of {SAMPLES}" in error.summary
    assert samples.ids[3] in error.summary
    (report,) = verify(ask(artifacts / "bright-exact", data=data, limit=2))
    assert report.rows[0].status == "MEASURED"
    renamed = data / "images" / "3.png"
    renamed.rename(data / "images" / "zzz.png")
    (data / "masks" / "3.png").rename(data / "masks" / "zzz.png")
    assert refused(ask(artifacts / "bright-shifted", data=data)).error_id == "CALIBRATION-LEAK"


def test_data_that_is_missing_empty_or_unreadable(artifacts: Path, tmp_path: Path) -> None:
    exact, folder = artifacts / "bright-exact", tmp_path / "mine"
    assert refused(ask(exact, data=folder)).error_id == "DATA-MISSING"
    folder.mkdir()
    assert refused(ask(exact, data=folder)).error_id == "DATA-EMPTY"
    for name in ("a.png", "b.png"):
        write_png(folder / name, picture(0)[0])
    (folder / "c.png").write_bytes(b"\x89PNG no more")
    error = refused(ask(exact, data=folder))
    assert error.error_id == "IMAGE-UNREADABLE"
    assert "c.png" in error.summary


def test_what_was_typed_wrong(artifacts: Path, data: Path, tmp_path: Path) -> None:
    exact = artifacts / "bright-exact"
    error = refused(ask(exact, data=data, metric="mIuO"))
    assert error.error_id == "UNKNOWN-METRIC"
    assert "miou" in error.remedy.lower()
    assert refused(ask(tmp_path, data=data)).error_id == "NOT-AN-ARTIFACT"
    assert refused(ask(tmp_path / "absent", data=data)).error_id == "NOT-AN-ARTIFACT"
    change(exact, decode=ClassifyDecode(output="logits"))
    assert refused(ask(exact, data=None)).error_id == "DATA-NEEDED"
    assert refused(ask(exact, data=data)).error_id == "DATA-KIND"


@pytest.mark.parametrize("budget", ["nan", "inf"])
def test_a_budget_that_is_no_number(artifacts: Path, data: Path, budget: str) -> None:
    assert cli.run(["verify", str(artifacts / "bright-exact"), "--data", str(data), "--budget", budget]) == 2
