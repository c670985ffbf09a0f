"""The ladder: equal budgets, paired intervals, only what helps is built on, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.cli import run as deploy
from deploy.errors import DeployError
from training.ladder.judge import judge, paired
from training.ladder.plan import LadderPlan, read_plan

LADDER = """
seeds = [0, 1]
pictures = 6
primary = "sensitivity"
guards = ["mIoU"]
[settings]
epochs = 1
batch = 4
[options]
pictures = 8
checked = 2
width = 16
widths = [8, 8, 16, 16]
prompts = 8
[[rung]]
name = "baseline"
[[rung]]
name = "more-hard"
options = { hard = 0.4, category = 0.3 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ladder of two rungs that takes seconds."""
    path = tmp_path / "ladder.toml"
    path.write_text(LADDER)
    return path


def test_paired_differences_by_hand() -> None:
    apart = paired([0.5, 0.6, 0.7], [0.4, 0.5, 0.6])
    assert apart.mean == pytest.approx(0.1)
    assert apart.low == pytest.approx(0.1)
    wide = paired([0.5, 0.7], [0.4, 0.4])  # differences 0.1 and 0.3: 0.2 -+ 12.706 * 0.1
    assert wide.low == pytest.approx(0.2 - 1.2706, abs=1e-3)
    assert paired([None, 0.5], [0.1, 0.2]).mean is None


def test_only_a_sure_rise_without_a_sure_fall_is_promotable() -> None:
    plan = LadderPlan(rung=({"name": "a"}, {"name": "b"}), primary="cgF1", guards=("mIoU",))  # type: ignore[arg-type]
    base = [{"cgF1": 0.3, "mIoU": 0.6}, {"cgF1": 0.31, "mIoU": 0.61}, {"cgF1": 0.29, "mIoU": 0.6}]
    better = [{"cgF1": run["cgF1"] + 0.2, "mIoU": run["mIoU"]} for run in base]
    assert judge(plan, "a", base, None).verdict == "baseline"
    assert judge(plan, "b", better, ("a", base)).promotable
    assert judge(plan, "b", base, ("a", base)).verdict == "no better"
    traded = [{"cgF1": run["cgF1"], "mIoU": run["mIoU"] - 0.1} for run in better]
    assert judge(plan, "b", traded, ("a", base)).verdict == "worse at mIoU"
    unknown = [{"cgF1": None, "mIoU": 0.9}] * 3
    assert judge(plan, "b", unknown, ("a", base)).verdict == "no better"
    wild = [{"cgF1": value, "mIoU": 0.6} for value in (0.9, 0.31, 0.3)]
    assert judge(plan, "b", wild, ("a", base)).verdict == "no better"


@pytest.mark.parametrize(
    ("old", "new", "error_id"),
    [
        ("seeds = [0, 1]", "seeds = [0]", "LADDER-BROKEN.*two different seeds"),
        ('"more-hard"', '"baseline"', "LADDER-BROKEN.*one name"),
        ('"sensitivity"', '"accuracy"', "LADDER-BROKEN.*no figure"),
        ("{ hard = 0.4, category = 0.3 }", "{ pictures = 99 }", "LADDER-UNEQUAL"),
        ("options = { hard = 0.4, category = 0.3 }", "settings = { epochs = 9 }", "LADDER-UNEQUAL"),
        ("[settings]", "[settings", "LADDER-BROKEN"),
        ("primary", "prime", "LADDER-BROKEN"),
    ],
)
def test_broken_and_unfair_ladders_are_refused(file: Path, old: str, new: str, error_id: str) -> None:
    file.write_text(LADDER.replace(old, new))
    with pytest.raises(DeployError, match=error_id):
        read_plan(file)


def test_a_ladder_from_the_command_line(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "ladder"
    command = ["train", "promptable_masks", "--ladder", str(file), "--out", str(out), "--json"]
    assert deploy(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert [rung["name"] for rung in first["rungs"]] == ["baseline", "more-hard"]
    assert first["rungs"][1]["against"] == "baseline"
    low, high = (first["rungs"][1]["differences"]["sensitivity"][end] for end in ("low", "high"))
    assert low <= high
    assert {path.name for path in (out / "more-hard").iterdir()} == {"seed-0", "seed-1"}
    import training.ladder.climb as module

    monkeypatch.setattr(module, "_evaluate", lambda *_: pytest.fail("evaluated again"))
    assert deploy(command) == 0
    assert json.loads(capsys.readouterr().out) == first
    file.write_text(LADDER.replace("hard = 0.4", "hard = 0.2").replace("category = 0.3", "category = 0.5"))
    assert deploy(command) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "LADDER-CHANGED"
    assert deploy([*command, "--epochs", "3"]) == 2
    assert deploy(["train", "binary_masks", *command[2:]]) == 1
