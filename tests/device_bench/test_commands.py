"""The commands: light to import, strict about what they are given, plain about what comes next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.artifacts import choose
from deploy.cli import run as deploy
from deploy.errors import DeployError
from device_bench.commands.bench import _Steps
from device_bench.commands.duration import parse_duration
from device_bench.transports import TRANSPORTS, open_transport


def test_importing_the_commands_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from device_bench.commands import bench, devices, report\n"
        "heavy = {'numpy', 'pydantic', 'rich', 'cv2', 'torch', 'plotly', 'psutil'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20s", 20_000_000_000), ("500ms", 500_000_000), ("2m", 120_000_000_000), ("1.5S", 1_500_000_000)],
)
def test_durations(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["20", "s", "-1s", "0s", "1 s", "1e3s", "20sec", ""])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_bench_then_report(artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(artifacts / name) for name in ("exact", "reference")]
    options = ["--duration", "100ms", "--threads", "1", "--out", str(tmp_path / "results")]
    assert deploy(["bench", *folders, *options]) == 0
    said = capsys.readouterr()
    assert "deploy report" in said.out and "--html report.html" in said.out
    assert "fp32 reference" in said.err
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["exact-desktop"]


def test_a_refused_artifact_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(["bench", str(tmp_path), "--out", str(tmp_path / "results"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["refused"][0]["error"] == "NOT-AN-ARTIFACT"


def test_references_are_skipped_unless_asked_for(artifacts: Path) -> None:
    everything = sorted(artifacts.iterdir())
    chosen, skipped = choose(everything, include_reference=False)
    assert [p.name for p in chosen] == ["exact", "shifted"] and [p.name for p in skipped] == ["reference"]
    assert choose(everything, include_reference=True) == (everything, [])
    assert choose([artifacts / "reference"], include_reference=False)[0] == [artifacts / "reference"]


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(["devices", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["devices"]
    assert row["spec"] == "desktop" and row["usable"]


def test_every_transport_opens_and_fits() -> None:
    for name in TRANSPORTS:
        kind = TRANSPORTS.open(name)
        assert kind.slug and callable(kind.devices) and callable(kind.run) and callable(kind.why_not)


def test_the_desktop_takes_no_address() -> None:
    with pytest.raises(DeployError, match="UNKNOWN-DEVICE"):
        open_transport("desktop:1")


def test_the_bar_moves_inside_an_artifact_and_ends_on_whole_steps() -> None:
    class Bar:
        place, words = 0.0, ""

        def advance(self, steps: float = 1) -> None:
            self.place += steps

        def label(self, text: str) -> None:
            self.words = text

    bar = Bar()
    steps = _Steps(bar)  # type: ignore[arg-type]
    seen = []
    for stage, done in (("timed", 0), ("timed", 5), ("timed", 10), ("masks", 10), ("reference: timed", 1)):
        steps.follow(f"mine: {stage}", done, 10)
        seen.append(bar.place)
    assert seen == sorted(seen) and 0 < seen[1] < 1 and bar.words == "mine: reference: timed 10%"
    steps.finish()
    assert bar.place == pytest.approx(1)
    steps.finish()
    assert bar.place == pytest.approx(2)
