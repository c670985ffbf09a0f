"""A report shows everything it finds, names what is broken, and needs nothing but itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from deploy.contracts.accuracy import AccuracyReport
from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.plan import WarmUp
from device_bench.plans import Measure
from device_bench.report.advice import advice
from device_bench.report.cells import tiles
from device_bench.report.charts import sizes, tradeoff
from device_bench.report.clip_groups import clip_views
from device_bench.report.gather import gather
from device_bench.report.html import to_html
from device_bench.report.markdown import to_markdown
from device_bench.report.ranks import groups, mean_rows
from device_bench.report.rows import (
    BRIEF_COLUMNS,
    CLIP_COLUMNS,
    accuracy_text,
    brief_clip_table,
    clip_table,
    reasons,
)
from device_bench.score.model import Report
from device_bench.session import Request, bench
from tests.device_bench.accuracy import save_accuracy
from tests.device_bench.conftest import Results


@pytest.fixture
def report(results: Results, artifacts: Path, tmp_path: Path) -> Report:
    """Two runs, an accuracy report and a torn folder."""
    for name in ("exact", "shifted"):
        results.copy(name)
    torn = results.place / "torn"
    torn.mkdir()
    (torn / "run.json").write_text("{")
    save_accuracy(artifacts, tmp_path / "accuracy.json")
    return gather([results.place, tmp_path / "accuracy.json"], 0, lambda _: None)


def test_gather_finds_all_and_names_the_torn(report: Report) -> None:
    assert [score.name for score in report.runs] == ["exact", "shifted"]
    assert len(report.accuracy) == 1
    (broken,) = report.broken
    assert broken.path.name == "torn" and broken.error == "JSON-BROKEN"


def test_a_reference_inside_a_run_is_no_run(report: Report) -> None:
    assert all(score.folder.name != "reference" for score in report.runs)


def test_a_run_that_was_lost_is_named(results: Results) -> None:
    folder = results.copy("exact")
    (folder / "run.json").unlink()
    (broken,) = gather([results.place], 0, lambda _: None).broken
    assert broken.error == "FILE-UNREADABLE"


def test_a_place_without_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = gather([tmp_path / "empty", tmp_path / "absent"], 0, lambda _: None)
    assert [row.error for row in found.broken] == ["NO-RESULTS", "NO-RESULTS"]


def test_the_same_run_named_twice_is_read_once(results: Results) -> None:
    folder = results.copy("exact")
    assert len(gather([folder, results.place, folder], 0, lambda _: None).runs) == 1


def test_the_page_needs_no_network(report: Report) -> None:
    page = to_html(report)
    head = page[: page.index("/**")]  # the chart library's own links are comments and about boxes
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page.split("<script>")[0])
    assert "@import" not in head and "url(http" not in head
    assert page.count("<script src") == 0 and '<link rel="stylesheet"' not in page


def test_the_page_shows_verdicts_taints_and_reasons(report: Report) -> None:
    page = to_html(report)
    for words in (
        "PASS",
        "CANNOT-TELL",
        "needs 410 samples",
        "Core ML predicts only on a Mac",
        "JSON-BROKEN",
    ):
        assert words in page
    assert "small &lt;1 %&gt;" in page
    assert page.count("data:image/jpeg;base64,") == 3 * 6  # truth, reference with its equal, and shifted
    plots = json.loads(page.split('id="plots">')[1].split("</script>")[0].replace("<\\/", "</"))
    assert [plot["id"] for plot in plots] == ["tradeoff", "sizes", "distribution", "timeline", "jitter-0"]


def test_taints_stand_in_front_of_the_name_everywhere(report: Report) -> None:
    tainted = Report(
        runs=tuple(type(score)(**{**vars(score), "taints": ("SIMULATED",)}) for score in report.runs)
    )
    text = to_markdown(tainted)
    names = re.findall(r"(\S+) (?:exact|shifted)\b", text)
    assert names and set(names) == {"SIMULATED"}
    page = to_html(tainted)
    assert page.count('"name":"SIMULATED exact"') == page.count('exact"') > 0


def test_markdown_keeps_its_tables_whole(report: Report) -> None:
    for block in to_markdown(report).split("\n\n"):
        if block.startswith("|"):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.strip().split("\n")}
            assert len(widths) == 1


def test_the_command(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results.copy("exact")
    html, markdown = tmp_path / "r.html", tmp_path / "r.md"
    arguments = ["report", str(results.place), "--html", str(html), "--markdown", str(markdown), "--json"]
    assert deploy(arguments) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["runs"][0]["latency_ms"]["p50"]["value"] > 0
    assert payload["runs"][0]["energy_uj"]["value"] is None
    assert html.stat().st_size > 1_000_000 and markdown.read_text().startswith("# Bench report")


def test_a_broken_folder_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("[]")
    assert deploy(["report", str(tmp_path / "torn"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["broken"][0]["error"] == "WRONG-DOCUMENT"


def test_steadiness_is_ranked_and_quality_stands_first(report: Report) -> None:
    rows = clip_table(report)
    assert CLIP_COLUMNS[:4] == ("clip", "masks", "steady J&F", "J&F")
    assert [row[1].split()[-1] for row in rows] == ["exact", "shifted", "truth"]
    brief = brief_clip_table(report)
    assert [row[0].split()[-1] for row in brief] == ["golden:", "exact", "shifted", "truth"]
    assert {len(row) for row in brief} == {len(BRIEF_COLUMNS)}
    page = to_html(report)
    assert page.index("Steady J&amp;F</th>") < page.index(">J&amp;F</th>") < page.index("Excess flips</th>")


def test_equal_masks_are_one_strip(report: Report) -> None:
    (view,) = clip_views(report)
    assert [strip.label for strip in view.strips] == ["truth", "fp32 reference", "shifted"]
    assert view.strips[1].note.startswith("identical to the reference: ")
    assert view.strips[1].note.endswith("exact")


def test_a_reference_that_was_benched_says_that_it_is_one(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = Measure(50_000_000, 1, max_iterations=20, warm_up=WarmUp(min_ns=0, max_ns=1))
    places = (artifacts / "reference", artifacts / "shifted")
    list(bench(Request(places, measure, out=tmp_path / "results"), lambda *_: None))
    path = save_accuracy(artifacts, tmp_path / "accuracy.json")
    accuracy = AccuracyReport.load(path)
    digest = Artifact.load(artifacts / "reference" / MANIFEST).model_sha256
    kept = tuple(row for row in accuracy.rows if row.model_sha256 != digest)
    accuracy.model_copy(update={"reference_sha256": digest, "rows": kept}).save(path)
    found = gather([tmp_path], 0, lambda _: None)
    reference = next(score for score in found.runs if score.name == "reference")
    assert accuracy_text(found, reference) == "the reference\nmIoU 0.9130"
    assert "reference: no accuracy.json" not in "\n".join(reasons(found))
    points = tradeoff(found)
    assert [(point["marker"].get("symbol"), point["y"]) for point in points][-1] == ("diamond", [0.0])
    assert ">reference</span><small>mIoU 0.9130" in to_html(found)
    assert tiles(found)[0].detail.endswith("shifted") or tiles(found)[0].label == "Fastest"


def test_what_holds_for_all_runs_is_said_once(report: Report) -> None:
    energy = [line for line in reasons(report) if "energy" in line]
    assert energy == ["all runs: energy: a desktop run measures no energy"]


def test_several_clips_get_a_mean(report: Report) -> None:
    (group,) = groups(report)
    rows = mean_rows([group, group])
    assert [row.label for row in rows] == [row.label for row in group.rows]
    assert rows[0].masks.jf.value == pytest.approx(group.rows[0].masks.jf.value)
    assert rows[0].masks.lag.value is None and mean_rows([group]) == []


def test_a_doubtful_run_says_what_to_do() -> None:
    (line,) = advice([("a", ("CONTENDED",)), ("b", ("CONTENDED", "SIMULATED"))])
    assert line.startswith("CONTENDED (a, b): ") and "--interleave" in line and "\n" not in line


def test_size_chart_shows_every_measured_file_with_its_interval(report: Report) -> None:
    rows = [row for _, accuracy in report.accuracy for row in accuracy.rows if row.verdict.drop is not None]
    points = sizes(report)
    assert [(p["name"], p["x"], p["y"]) for p in points] == [
        (row.label, [round(row.model_bytes / 1e6, 4)], [row.verdict.drop]) for row in rows
    ]
    assert all(p["error_y"]["array"][0] >= 0 and p["error_y"]["arrayminus"][0] >= 0 for p in points)
    assert points
