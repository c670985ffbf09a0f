"""Two artifacts in one process, call by call: raw pairs are kept, and a slower one is found out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from device_bench.comparison import COMPARISON, Comparison
from device_bench.score.pairs import score_comparison


def test_the_command_keeps_raw_pairs(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [str(artifacts / "exact"), str(artifacts / "reference")]
    options = ["--interleave", "--duration", "200ms", "--threads", "1", "--out", str(tmp_path), "--json"]
    assert deploy(["bench", *pair, *options]) == 0
    payload = json.loads(capsys.readouterr().out)["comparisons"][0]
    folder = tmp_path / "exact-vs-reference-desktop"
    comparison = Comparison.load(folder / COMPARISON)
    counts = {len(getattr(comparison, f"{side}_{kind}_ns")) for side in "ab" for kind in ("wall", "cpu")}
    assert counts == {payload["pairs"]}
    assert payload["ratio"]["low"] <= payload["ratio"]["value"] <= payload["ratio"]["high"]
    assert payload["ratio"]["value"] == pytest.approx(1, abs=0.3)
    assert payload["basis"] in ("wall", "CPU")


def test_the_slower_one_is_found_out(artifacts: Path, tmp_path: Path) -> None:
    pair = [str(artifacts / "exact"), str(artifacts / "exact")]
    assert deploy(["bench", *pair, "--interleave", "--duration", "100ms", "--out", str(tmp_path)]) == 0
    comparison = Comparison.load(tmp_path / "exact-vs-exact-desktop" / COMPARISON)
    times = tuple(comparison.a_wall_ns)
    doubled = tuple(2 * time for time in times)
    changes = {"a_cpu_ns": times, "b_wall_ns": doubled, "b_cpu_ns": doubled}
    score = score_comparison(comparison.model_copy(update=changes), tmp_path, 0)
    assert score.basis == "wall" and score.ratio.value == pytest.approx(2.0)
    busy = {**changes, "a_wall_ns": tuple(5 * time for time in times), "threads": 1}
    score = score_comparison(comparison.model_copy(update=busy), tmp_path, 0)
    assert score.basis == "CPU" and score.ratio.value == pytest.approx(2.0)
    score = score_comparison(comparison.model_copy(update={**busy, "threads": 2}), tmp_path, 0)
    assert score.ratio.value is None and "busy" in (score.ratio.reason or "")


def test_only_two_can_be_compared(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy(["bench", str(artifacts / "exact"), "--interleave", "--out", str(tmp_path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "INTERLEAVE-TWO"
