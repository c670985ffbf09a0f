"""The whole flow on a hand-made model: results appear complete, and every trouble is a recorded row."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.plan import BenchPlan, WarmUp
from deploy.contracts.run import DeviceRun
from deploy.errors import DeployError
from deploy.vision.images import read_mask
from device_bench.plans import Measure
from device_bench.samples import read_samples
from device_bench.session import Outcome, Request, bench
from tests.device_bench.bright import FRAMES, MakeArtifact, golden_tensor, picture

QUICK = Measure(
    duration_ns=100_000_000, threads=1, max_iterations=40, warm_up=WarmUp(min_ns=0, max_ns=50_000_000)
)


def run(*folders: Path, out: Path, **changes: Any) -> list[Outcome]:
    return list(bench(Request(folders, QUICK, out=out, **changes), lambda *_: None))


def break_manifest(folder: Path, **changes: Any) -> None:
    artifact = Artifact.load(folder / MANIFEST)
    artifact.model_copy(update=changes).save(folder / MANIFEST)


def test_results_are_complete(artifacts: Path, tmp_path: Path) -> None:
    (outcome,) = run(artifacts / "exact", out=tmp_path)
    folder = outcome.folder
    assert folder == tmp_path / "exact-desktop" and outcome.run is not None
    loaded = DeviceRun.load(folder / "run.json")
    plan = BenchPlan.load(folder / "plan.json")
    assert loaded == outcome.run and loaded.status == "completed"
    assert loaded.plan_id == plan.plan_id
    assert loaded.plan_sha256 == hashlib.sha256((folder / "plan.json").read_bytes()).hexdigest()
    assert loaded.samples_count == len(read_samples(folder / "samples.jsonl")) > 0
    assert loaded.golden is not None and loaded.golden.status == "PASS"
    assert loaded.load_ns.value and loaded.first_inference_ns.value and loaded.peak_memory_bytes.value
    assert loaded.energy_uj.value is None and loaded.energy_uj.reason
    assert Artifact.load(folder / MANIFEST).name == "exact"
    assert not list(folder.glob("_plan")) and not list(folder.glob("*.onnx"))
    for name in (frame.file for clip in plan.clips for frame in clip.frames):
        assert (folder / name).is_file()
    for name in (frame.mask for clip in plan.clips for frame in clip.frames):
        assert name and (folder / name).is_file()


def test_masks_of_artifact_and_reference(artifacts: Path, tmp_path: Path) -> None:
    (outcome,) = run(artifacts / "exact", out=tmp_path)
    assert outcome.folder is not None and outcome.run is not None
    (clip,) = outcome.run.clips
    assert len(clip.mask_files) == FRAMES
    for index, name in enumerate(clip.mask_files):
        mask = read_mask(outcome.folder / name)
        truth = picture(index)[1]
        assert np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth) > 0.8
        assert np.array_equal(mask, read_mask(outcome.folder / "reference" / name))


def test_names_get_numbers_and_force_replaces(artifacts: Path, tmp_path: Path) -> None:
    first = run(artifacts / "exact", out=tmp_path)[0].folder
    second = run(artifacts / "exact", out=tmp_path)[0].folder
    assert second is not None and second.name == "exact-desktop-2"
    assert run(artifacts / "exact", out=tmp_path, force=True)[0].folder == first


def test_a_changed_file_is_refused_and_others_go_on(
    make_artifact: MakeArtifact, artifacts: Path, tmp_path: Path
) -> None:
    changed = make_artifact("changed")
    (changed / "model.onnx").write_bytes((changed / "model.onnx").read_bytes() + b"\0")
    bad, good = run(changed, artifacts / "exact", out=tmp_path / "results")
    assert bad.problem is not None and bad.problem.error_id == "ARTIFACT-CHANGED"
    assert good.run is not None and good.run.status == "completed"
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["exact-desktop"]


def test_golden_mismatch_measures_nothing(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    folder = make_artifact()
    artifact = Artifact.load(folder / MANIFEST)
    wrong = golden_tensor(folder, "logits", np.ones((1, 1, 32, 32), np.float32))
    sample = artifact.golden.samples[0].model_copy(update={"outputs": (wrong,)})
    break_manifest(folder, golden=artifact.golden.model_copy(update={"samples": (sample,)}))
    (outcome,) = run(folder, out=tmp_path / "results")
    assert outcome.run is not None and outcome.run.status == "failed"
    assert outcome.run.failure is not None and outcome.run.failure.id == "GOLDEN-MISMATCH"
    assert outcome.run.samples_count == 0 and outcome.run.warm_up is None and not outcome.run.clips
    assert outcome.run.golden is not None and outcome.run.golden.status == "FAIL"


def test_an_unloadable_model_is_a_failed_run(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    folder = make_artifact()
    (folder / "model.onnx").write_bytes(b"not a model")
    break_manifest(folder, model_sha256=hashlib.sha256(b"not a model").hexdigest())
    (outcome,) = run(folder, out=tmp_path / "results")
    assert outcome.run is not None and outcome.run.failure is not None
    assert outcome.run.failure.id == "MODEL-UNLOADABLE"
    assert outcome.run.load_ns.value is None and outcome.run.load_ns.reason


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac can run Core ML")
def test_a_file_of_another_platform_says_why(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    folder = make_artifact()
    break_manifest(folder, target="coreml")
    (outcome,) = run(folder, out=tmp_path / "results")
    assert outcome.problem is not None and outcome.problem.error_id == "CANNOT-RUN-HERE"
    assert "Mac" in outcome.problem.summary


def test_without_reference_the_reason_is_kept(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    (outcome,) = run(make_artifact(), out=tmp_path / "results")
    assert outcome.folder is not None
    assert "REFERENCE-MISSING" in (outcome.folder / "reference" / "unavailable.json").read_text()


def test_a_wrong_reference_is_refused(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    other = make_artifact("other", role="reference", bias=-3.0)
    (outcome,) = run(make_artifact(), out=tmp_path / "results", reference=other)
    assert outcome.folder is not None
    assert "REFERENCE-MISMATCH" in (outcome.folder / "reference" / "unavailable.json").read_text()


def test_a_manifest_may_not_point_outside(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    folder = make_artifact()
    break_manifest(folder, model_file="../mine/model.onnx")
    (outcome,) = run(folder, out=tmp_path / "results")
    assert outcome.problem is not None and outcome.problem.error_id == "PATH-OUTSIDE"


def test_an_unknown_device_lists_the_right_ones(artifacts: Path, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"UNKNOWN-DEVICE.*desktop"):
        run(artifacts / "exact", out=tmp_path, device="toaster")


def test_no_golden_clip_still_times_golden_pictures(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    (outcome,) = run(make_artifact(clip=False), out=tmp_path / "results")
    assert outcome.run is not None and outcome.run.status == "completed"
    assert outcome.run.samples_count > 0 and outcome.run.clips == ()


def test_never_steady_is_said(artifacts: Path, tmp_path: Path) -> None:
    never = Measure(50_000_000, 1, max_iterations=5, warm_up=WarmUp(min_ns=0, max_ns=1))
    (outcome,) = bench(Request((artifacts / "exact",), never, out=tmp_path), lambda *_: None)
    assert outcome.run is not None and outcome.run.warm_up is not None
    assert not outcome.run.warm_up.steady and "NOT-STEADY" in outcome.run.taints
