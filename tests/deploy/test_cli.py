"""The command line answers fast, refuses by name, and never shows a traceback for a known problem."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deploy import __version__, cli, console
from deploy.errors import DeployError, ExitCode

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _people() -> Iterator[None]:
    """Each test starts and ends speaking to people, on fresh streams."""
    console._out.cache_clear()
    console._err.cache_clear()
    yield
    console.speak_to_machine(False)
    console._out.cache_clear()
    console._err.cache_clear()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command ``devices`` that raises what the test puts into the list."""
    raised: list[BaseException] = []

    @click.command()
    def command() -> None:
        raise raised[0]

    monkeypatch.setattr("deploy.registry.load_object", lambda _: command)
    return raised


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["export", "--help"], ["verify", "-h"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = ("torch", "numpy", "cv2", "rich", "onnx", "pydantic", "coremltools", "executorch")
    code = f"""
import sys
from deploy.cli import run
code = run({arguments!r})
found = [name for name in {heavy!r} if name in sys.modules]
sys.stderr.write(repr(found))
sys.exit(code)
"""
    done = python(code)
    assert done.returncode in (0, 2)
    assert done.stderr.endswith("[]"), done.stderr
    assert "--help" in done.stdout + done.stderr or __version__ in done.stdout


def test_version_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out
    assert cli.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)


def test_a_mistyped_command_lists_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["exprot"]) == ExitCode.USAGE
    shown = capsys.readouterr().err
    assert "UNKNOWN-COMMAND" in shown
    assert "'exprot'" in shown
    assert all(name in shown for name in cli.COMMANDS)


def test_a_mistyped_command_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["exprot", "--json"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().out)["error"] == "UNKNOWN-COMMAND"


@pytest.mark.parametrize("arguments", [["export", "--no-such"], ["export"], ["verify"], ["export", "-t"]])
def test_wrong_usage_is_two_and_json_stays_json(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == ExitCode.USAGE
    assert "Error: " in capsys.readouterr().err
    assert cli.run([*arguments[:1], "--json", *arguments[1:]]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().out)["error"] == "USAGE"


def test_a_known_problem_is_a_message_and_its_exit_code(
    broken: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(DeployError("SOME-THING", "It [b]broke[/b].", "Mend it.", ExitCode.INCOMPARABLE))
    assert cli.run(["devices"]) == ExitCode.INCOMPARABLE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "SOME-THING: It [b]broke[/b].\n  → Mend it.\n"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_is_130(
    broken: list[BaseException], interruption: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(interruption)
    assert cli.run(["devices"]) == ExitCode.INTERRUPTED == 130
    assert "INTERRUPTED" in capsys.readouterr().err


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m deploy --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" not in done.stderr


# console


def test_people_get_text_and_machines_get_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("hello [red]x[/red]")
    console.emit({"a": 1})
    console.table("T", ["one", "two"], [["PASS", "[x]"]])
    console.next_steps(["deploy report"])
    shown = capsys.readouterr().out
    assert shown.startswith("hello [red]x[/red]\n")
    assert "PASS" in shown
    assert "[x]" in shown
    assert "Next:\n  deploy report" in shown
    console.speak_to_machine(True)
    console.say("hello")
    console.table("T", ["one"], [["x"]])
    console.next_steps(["deploy report"])
    console.emit({"a": [1, None]})
    console.note("about the work")
    found = capsys.readouterr()
    assert json.loads(found.out) == {"a": [1, None]}
    assert found.err == "about the work\n"


def test_a_machine_never_gets_nan() -> None:
    console.speak_to_machine(True)
    with pytest.raises(ValueError, match="JSON"):
        console.emit({"a": float("nan")})


def test_no_bar_is_drawn_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("working", 3) as bar:
        bar.advance()
        bar.label("still")
    assert capsys.readouterr() == ("", "")
