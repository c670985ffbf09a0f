"""A real trained model on real video: exported, benched, judged against true masks, and reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from device_bench.report.gather import gather
from device_bench.report.html import to_html
from device_bench.report.rows import clip_table
from device_bench.score.model import Report
from tests.oracles.real import DAVIS_SEQUENCES, needs

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]

FRAMES = 5
CLASSES = ("bird", "person", "bicycle", "car", "dog")
"""What moves in the five sequences."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """yolov8n-seg as ONNX fp32, benched on the first frames of every DAVIS clip."""
    pytest.importorskip("ultralytics")
    davis, weights = needs("davis16"), needs("yolov8n_seg") / "yolov8n-seg.pt"
    out = tmp_path_factory.mktemp("davis")
    assert deploy(["export", str(weights), "--target", "onnx", "-p", "fp32", "--out", str(out / "a")]) == 0
    (artifact,) = (path.parent for path in (out / "a").glob("*-onnx-fp32/artifact.json"))
    classes = [word for name in CLASSES for word in ("--mask-class", name)]
    options = ["--duration", "500ms", "--max-frames", str(FRAMES), "--out", str(out / "results")]
    assert deploy(["bench", str(artifact), "--clip", str(davis), *classes, *options]) == 0
    return gather([out / "results"], 0, lambda _: None)


def test_real_masks_are_good_and_the_export_adds_no_jitter(report: Report) -> None:
    (run,) = report.runs
    assert [clip.sequence for clip in run.clips] == list(DAVIS_SEQUENCES)
    assert run.plan.mask_classes == CLASSES
    for clip in run.clips:
        own = clip.artifact
        assert clip.frames == FRAMES and clip.against == "truth"
        assert (own.j.value or 0) > 0.35 and (own.f.value or 0) > 0.35
        assert 0 < (own.steady_jf.value or 0) <= (own.jf.value or 0) + 0.05
        assert clip.excess.value == pytest.approx(0, abs=1e-3)
        assert (clip.j_reference.value or 0) > 0.999
    assert sum(clip.artifact.j.value or 0 for clip in run.clips) / len(run.clips) > 0.65


def test_the_report_has_a_row_for_every_sequence(report: Report) -> None:
    rows = clip_table(report)
    for sequence in DAVIS_SEQUENCES:
        assert sum(row[0] == sequence for row in rows) == 3  # the export, its reference, the truth
    assert sum(row[0] == "mean of 5" for row in rows) == 3
    page = to_html(report)
    plots = json.loads(page.split('id="plots">')[1].split("</script>")[0].replace("<\\/", "</"))
    assert [plot["id"] for plot in plots if plot["id"].startswith("jitter")] == [
        f"jitter-{index}" for index in range(len(DAVIS_SEQUENCES))
    ]
    assert page.count("identical to the reference: ") == len(DAVIS_SEQUENCES)


def test_results_hold_no_path_of_this_machine(report: Report) -> None:
    folder: Path = report.runs[0].folder
    for name in ("run.json", "plan.json"):
        assert str(needs("davis16")) not in (folder / name).read_text()
