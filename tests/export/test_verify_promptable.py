"""``deploy verify --task promptable_masks``: report, page, exit code, the look, and one table or none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import run
from deploy.contracts.promptable import PromptableReport
from deploy.errors import ExitCode
from deploy.prompts.types import World
from tests.oracles.real import needs
from tests.training.promptable.fakes import Blind, Constant, Reader
from training.evaluation import open_answerers
from training.evaluation.contestant import Contestant
from training.evaluation.open_answerers import open_judged_world

QUICK = ("--task", "promptable_masks", "--limit", "12", "--replicates", "100")


def fakes(runs: Sequence[Path], teacher: str | None, world: World) -> list[Contestant]:
    """Runs by the name of their folder, without a net."""
    makers = {"good": Reader, "blind": Blind, "constant": lambda w, n: Constant()}
    teachers = {"truth": lambda: Reader(world, "truth", 0.02), "constant": Constant}
    found = [Contestant(teachers[teacher](), "teacher")] if teacher else []
    return found + [Contestant(makers[each.name](world, each.name), "student") for each in runs]


@pytest.fixture(autouse=True)
def without_nets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(open_answerers, "open_contestants", fakes)
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_a_good_run_passes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = run(["verify", "runs/good", *QUICK, "--teacher", "truth", "--page", "qa.html", "--json"])
    told = said(capsys)
    assert code == ExitCode.PASS
    report = PromptableReport.load(tmp_path / "results/good-promptable/promptable.json")
    assert told["reports"] == [report.to_json()]
    assert told["visual"] == ["visual QA: never opened"]
    assert told["files"] == ["results/good-promptable/promptable.json", "qa.html"]
    assert [row.role for row in report.rows] == ["truth", "teacher", "student"]
    assert report.data.path == "generated"
    assert "<html" in (tmp_path / "qa.html").read_text()


def test_a_run_that_ignores_its_prompt_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "runs/good", "runs/blind", *QUICK]) == ExitCode.FAIL
    text = capsys.readouterr().out
    assert "PROMPT-UNUSED" in text
    assert "visual QA: never opened" in text
    assert "good+blind-promptable" in text


def test_a_bad_teacher_leaves_nothing_to_tell() -> None:
    assert run(["verify", "runs/good", *QUICK, "--teacher", "constant"]) == ExitCode.CANNOT_TELL


def test_a_look_is_recorded_and_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(["verify", "runs/good", *QUICK])
    capsys.readouterr()
    look = ["verify", "runs/good", "--task", "promptable_masks", "--looked-at", "Kim", "--verdict", "fine"]
    assert run(look) == ExitCode.PASS
    assert "Kim" in capsys.readouterr().out
    assert (tmp_path / "results/good-promptable/looked_at.json").is_file()
    run(["verify", "runs/good", *QUICK, "--json"])  # the same page again
    assert "Kim" in said(capsys)["visual"][0]
    run(["verify", "runs/good", *QUICK, "--limit", "13", "--json"])  # another page
    assert said(capsys)["visual"] == ["visual QA: never opened"]


def test_reports_share_a_table_or_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    run(["verify", "runs/good", *QUICK])
    run(["verify", "runs/constant", *QUICK, "--out", "other"])
    capsys.readouterr()
    first, second = "results/good-promptable/promptable.json", "other/constant-promptable/promptable.json"
    assert run(["verify", first, second, "--task", "promptable_masks"]) == ExitCode.FAIL
    text = capsys.readouterr().out
    assert "student good" in text
    assert "constant" in text
    run(["verify", "runs/constant", *QUICK, "--limit", "11", "--out", "third"])
    capsys.readouterr()
    third = "third/constant-promptable/promptable.json"
    code = run(["verify", first, third, "--task", "promptable_masks", "--json"])
    assert code == ExitCode.INCOMPARABLE
    assert said(capsys)["error"] == "INCOMPARABLE-PROTOCOL"


@pytest.mark.parametrize(
    "wrong",
    [
        ["artifacts/x", "--teacher", "truth"],
        ["artifacts/x", "--page", "qa.html"],
        ["runs/good", "--task", "promptable_masks", "--bisect"],
        ["runs/good", "--task", "promptable_masks", "--verdict", "fine"],
        ["runs/good", "--task", "binary_masks"],
    ],
    ids=" ".join,
)
def test_options_of_the_other_kind_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", *wrong]) == ExitCode.USAGE
    assert "Error" in capsys.readouterr().err


def test_the_held_out_part_judges(tmp_path: Path) -> None:
    generated = open_judged_world(None, None, whole=False, limit=None)
    assert len(generated) == 200
    assert generated.picture(0).id.startswith("shapes-held-out")
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"class {number}" for number in range(80)))
    folder = needs("coco128_seg")
    part = open_judged_world(folder, names, whole=False, limit=None)
    whole = open_judged_world(folder, names, whole=True, limit=None)
    assert 8 <= len(part) < len(whole) == 64
