"""A briefly trained run on every target at fp16: exported, verified as a chain, and benched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from deploy.contracts.promptable import PromptableReport
from deploy.errors import ExitCode
from tests.export.promptable.clips import write_clip
from training.run import train

TARGETS = ("coreml", "executorch", "onnx")


@pytest.mark.slow
def test_every_target_says_what_the_student_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = tmp_path / "prompts", tmp_path / "artifacts"
    train("promptable_masks", run, {"epochs": 2})
    assert deploy(["export", str(run), "-t", "all", "-p", "fp16", "--out", str(out)]) == ExitCode.PASS
    bundles = [str(out / f"prompts-{target}-fp16") for target in TARGETS]
    asked = ["verify", *bundles, "--task", "promptable_masks", "--limit", "40", "--replicates", "200"]
    assert deploy([*asked, "--out", str(tmp_path / "results")]) == ExitCode.PASS
    (path,) = (tmp_path / "results").glob("*/promptable.json")
    rows = [row for row in PromptableReport.load(path).rows if row.role == "exported"]
    assert len(rows) == len(TARGETS)
    for row in rows:
        assert row.verdict is not None and row.verdict.outcome == "PASS", row.name
        assert row.verdict.high is not None and row.verdict.high <= 0.01
    capsys.readouterr()
    clip = write_clip(tmp_path / "walk")
    runnable = [bundle for bundle in bundles if "coreml" not in bundle]
    command = ["bench", *runnable, "--clip", str(clip), "--phrase", "red disc", "--duration", "1s"]
    assert deploy([*command, "--out", str(tmp_path / "bench"), "--json"]) == ExitCode.PASS
    for benched in json.loads(capsys.readouterr().out)["runs"]:
        assert set(benched["latency_ms"]["stages"]) == {"image_encoder", "mask_decoder"}
        assert benched["clips"][0]["j_reference"]["value"] > 0.9
