"""Figures come from raw samples and masks, and what is missing says why."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from deploy.errors import DeployError
from deploy.vision.images import read_mask, write_png
from device_bench.figures import Figure
from device_bench.report.gather import gather
from device_bench.report.ranks import groups
from device_bench.score.runs import score_run
from tests.device_bench.conftest import Results


def test_latency_figures(results: Results) -> None:
    score = score_run(results.copy("exact"), 0)
    latency = score.latency
    assert latency is not None and latency.samples == score.run.samples_count
    assert latency.p50.value == np.sort(latency.infer_ms)[(latency.samples - 1) // 2]
    assert latency.p50.low is not None and latency.p50.low <= latency.p50.value <= (latency.p50.high or 0)
    assert latency.p50.value <= (latency.p90.value or 0) <= (latency.p99.value or 0)
    assert (latency.frame.value or 0) > latency.p50.value
    assert latency.fps.value and latency.wall_over_cpu.value


def test_the_exact_export_flickers_like_its_reference(results: Results) -> None:
    (clip,) = score_run(results.copy("exact"), 0).clips
    assert clip.j_reference.value == 1.0 and clip.excess.value == 0.0
    assert (clip.artifact.jf.value or 0) > 0.9 and clip.frames == 8
    assert clip.against == "truth" and clip.artifact == clip.reference
    assert clip.truth.steady_jf.value == clip.truth.jf.value == 1.0
    assert set(clip.flip_tracks) == {"artifact", "reference", "truth"}


def test_a_shifted_export_is_less_like_its_reference(results: Results) -> None:
    (clip,) = score_run(results.copy("shifted"), 0).clips
    assert (clip.j_reference.value or 1) < 0.99
    assert clip.excess.low is not None and clip.excess.high is not None


def test_a_cut_samples_file_is_a_taint(results: Results) -> None:
    folder = results.copy("exact")
    path = folder / "samples.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    score = score_run(folder, 0)
    assert score.title.startswith("CUT ") or " CUT " in score.title
    assert score.latency is not None and score.latency.samples == score.run.samples_count - 1


def test_altered_samples_are_a_taint(results: Results) -> None:
    folder = results.copy("exact")
    path = folder / "samples.jsonl"
    path.write_text(path.read_text().replace('"pre_ns":', '"pre_ns":1', 1))
    assert "ALTERED" in score_run(folder, 0).taints


def test_a_plan_of_another_run_is_refused(results: Results) -> None:
    folder = results.copy("exact")
    plan = (folder / "plan.json").read_text()
    (folder / "plan.json").unlink()
    (folder / "plan.json").write_text(plan + "\n")
    with pytest.raises(DeployError, match="RUN-OF-ANOTHER-PLAN"):
        score_run(folder, 0)


def test_without_truth_figures_say_why(results: Results) -> None:
    folder = results.copy("exact")
    for path in (folder / "truth" / "golden").iterdir():
        path.unlink()
        write_png(path, np.zeros((5, 5), np.uint8))
    (clip,) = score_run(folder, 0).clips
    assert clip.artifact.jf.value is None and "size" in (clip.artifact.jf.reason or "")
    assert clip.excess.value is not None
    assert clip.against == "reference" and clip.artifact.steady_jf.value == 1.0


def test_without_reference_figures_say_why(results: Results) -> None:
    folder = results.copy("exact")
    shutil.rmtree(folder / "reference" / "masks")
    (clip,) = score_run(folder, 0).clips
    assert clip.excess.value is None and clip.excess.reason
    assert clip.artifact.jf.value is not None and clip.artifact.steady_jf.value is not None


def test_without_any_yardstick_nothing_steady_is_shown(results: Results) -> None:
    folder = results.copy("exact")
    shutil.rmtree(folder / "reference" / "masks")
    shutil.rmtree(folder / "truth")
    (clip,) = score_run(folder, 0).clips
    for figure in (clip.artifact.steady_jf, clip.artifact.flips, clip.artifact.acceleration):
        assert figure.value is None and figure.reason
    assert clip.flip_tracks == {}


def test_a_frozen_mask_never_ranks_above_a_moving_one(results: Results) -> None:
    moving, frozen = results.copy("exact"), results.copy("shifted")
    files = sorted((frozen / "masks" / "golden").iterdir())
    still = read_mask(moving / "masks" / "golden" / files[4].name).astype(np.uint8) * 255
    for path in files:
        path.unlink()
        write_png(path, still)
    report = gather([frozen, moving], 0, lambda _: None)
    (group,) = groups(report)
    assert [row.label for row in group.rows] == ["exact", "shifted", "truth"]
    steady = {row.label: row.masks.steady_jf.value or 0 for row in group.rows}
    assert steady["shifted"] < steady["exact"]
    assert steady["shifted"] <= (group.members[0].scored.artifact.jf.value or 0) + 1e-12


def test_a_figure_prints_its_interval_or_its_reason() -> None:
    assert Figure(-0.00001, None, -0.00004, 0.0).text(4) == "0.0000 [0.0000, 0.0000]"
    assert Figure(4.123, None, 4.0, 4.3).text(2, "ms") == "4.12 [4.00, 4.30] ms"
    assert Figure.unknown("no masks").text() == "UNKNOWN (no masks)"
    assert Figure(1.0).scaled(1000).value == 1000
