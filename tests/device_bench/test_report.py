"""A report shows everything it finds, names what is broken, and needs nothing but itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from device_bench.report.gather import gather
from device_bench.report.html import to_html
from device_bench.report.markdown import to_markdown
from device_bench.score.model import Report
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
    assert [score.name for score in report.runs] == ["exact-desktop", "shifted-desktop"]
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
    assert page.count("data:image/jpeg;base64,") == 4 * 6
    plots = json.loads(page.split('id="plots">')[1].split("</script>")[0].replace("<\\/", "</"))
    assert [plot["id"] for plot in plots] == ["tradeoff", "distribution", "timeline", "jitter-0"]


def test_taints_stand_in_front_of_the_name_everywhere(report: Report) -> None:
    tainted = Report(
        runs=tuple(type(score)(**{**vars(score), "taints": ("SIMULATED",)}) for score in report.runs)
    )
    text = to_markdown(tainted)
    names = re.findall(r"(\S+) (?:exact|shifted)-desktop", text)
    assert names and set(names) == {"SIMULATED"}
    page = to_html(tainted)
    assert page.count('"name":"SIMULATED exact-desktop"') == page.count('exact-desktop"') > 0


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
