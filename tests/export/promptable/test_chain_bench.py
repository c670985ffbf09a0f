"""The bench on a bundle: each stage's time in every sample, masks against truth and the fp32 bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import DeviceRun, Sample
from deploy.errors import ExitCode
from device_bench.samples import read_samples
from device_bench.score.runs import score_run
from tests.export.promptable.clips import write_clip
from tests.export.promptable.conftest import EXPORTED, REFERENCE, Made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "walk")


def test_a_chain_is_benched_stage_by_stage(
    made: Made, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["bench", *(str(made.out / name) for name in (EXPORTED, REFERENCE)), "--clip", str(clip)]
    out = tmp_path / "results"
    code = deploy([*asked, "--phrase", "red disc", "--duration", "0.2s", "--out", str(out), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == ExitCode.PASS, told
    folder = out / f"{EXPORTED}-desktop"
    assert [Path(run["folder"]).name for run in told["runs"]] == [folder.name], "no reference is benched"
    plan, run = BenchPlan.load(folder / "plan.json"), DeviceRun.load(folder / "run.json")
    assert plan.chain is not None and plan.chain.phrase == "red disc"
    assert run.golden is not None and run.golden.status == "PASS"
    samples = read_samples(folder / run.samples_file)
    assert list(samples.stages_ns) == ["image_encoder", "mask_decoder"]
    assert (sum(samples.stages_ns.values()) == samples.infer_ns).all()
    line = (folder / run.samples_file).read_text().splitlines()[0]
    assert Sample.model_validate_json(line).stages_ns is not None
    score = score_run(folder, 0)
    assert score.latency is not None and set(score.latency.stages) == set(samples.stages_ns)
    assert len(score.clips) == 1 and score.clips[0].against == "truth"
    assert score.clips[0].artifact.jf.value is not None
    assert score.clips[0].j_reference.value is not None, "the fp32 bundle was asked the same"


@pytest.mark.parametrize(
    ("phrase", "error"), [([], "PHRASE-MISSING"), (["--phrase", "purple"], "UNKNOWN-PHRASE")]
)
def test_a_bundle_needs_a_phrase_that_it_knows(
    made: Made, tmp_path: Path, phrase: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["bench", str(made.out / EXPORTED), "--out", str(tmp_path), "--json", *phrase]
    assert deploy(asked) == ExitCode.ERROR
    (refused,) = json.loads(capsys.readouterr().out)["refused"]
    assert refused["error"] == error and "red disc" in refused["summary"] + refused["remedy"]
