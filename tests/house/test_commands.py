"""Every command answers ``--help`` in a blink, speaks JSON, and shows an example that parses."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from docs.generators.cli import command_at, leaf_commands
from tests.docs.command_lines import check_line, lines_in
from tests.house.tree import ROOT

HEAVY = ("torch", "numpy", "pydantic", "rich", "cv2", "timm", "onnxruntime", "coremltools", "PIL", "psutil")
ASKED = [["--help"], ["--version"], *([*path, "--help"] for path in leaf_commands()), ["data", "--help"]]

_PROBE = """
import json, sys
from deploy.cli import run
code = run(json.loads(sys.argv[1]))
sys.stderr.write(json.dumps([code, sorted(set(json.loads(sys.argv[2])) & set(sys.modules))]))
"""


@pytest.mark.parametrize("asked", ASKED, ids=" ".join)
def test_help_imports_nothing_heavy(asked: list[str]) -> None:
    arguments = [json.dumps(asked), json.dumps(HEAVY)]
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    code, heavy = json.loads(done.stderr)
    assert code == 0
    assert not heavy, f"deploy {' '.join(asked)} imports {heavy}"
    assert "deploy" in done.stdout


@pytest.mark.parametrize("path", leaf_commands(), ids=" ".join)
def test_every_command_speaks_json_and_explains_its_options(path: tuple[str, ...]) -> None:
    command = command_at(path)
    options = {name for p in command.params if isinstance(p, click.Option) for name in p.opts}
    assert "--json" in options
    assert command.help, "no help text"


@pytest.mark.parametrize("path", leaf_commands(), ids=" ".join)
def test_every_command_shows_examples_that_parse(path: tuple[str, ...]) -> None:
    epilog = command_at(path).epilog or ""
    examples = lines_in(epilog)
    assert any(line.startswith(f"deploy {' '.join(path)}") for line in examples), f"no example in {epilog!r}"
    for line in examples:
        check_line(line)


def test_the_first_page_of_help_shows_examples_that_parse() -> None:
    from deploy.cli import EPILOG

    for line in lines_in(EPILOG):
        check_line(line)


def test_the_first_page_of_help_is_one_sentence_a_command() -> None:
    """The one-line texts of ``deploy --help`` stand in the table: short whole sentences."""
    from deploy.cli import COMMANDS

    assert all(text.endswith(".") and len(text) < 80 for _, text in COMMANDS.values())
