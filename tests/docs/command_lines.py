"""Command lines in texts: found, and checked by click's own parser without being run."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import click

from deploy import console
from deploy.cli import root
from deploy.errors import DeployError

_FENCE = re.compile(r"^```(?:bash|sh|console|text)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def lines_in(text: str) -> list[str]:
    """``deploy ...`` lines of a text, without comments; several on one line are split at semicolons."""
    parts = [part for line in text.splitlines() for part in line.split("#")[0].split(";")]
    bare = [part.strip().removeprefix("$").strip() for part in parts]
    return [part for part in bare if part == "deploy" or part.startswith("deploy ")]


def blocks_in(markdown: str) -> str:
    """The contents of a page's code blocks."""
    return "\n".join(_FENCE.findall(markdown))


def check_line(line: str) -> None:
    """Raise ``AssertionError`` unless ``deploy`` would accept the line: command, options and values."""
    words = shlex.split(line)[1:]
    with _quiet():
        try:
            _parse(root, "deploy", words)
        except (click.UsageError, DeployError) as error:
            reason = error.format_message() if isinstance(error, click.UsageError) else error.summary
            raise AssertionError(f"{line!r}: {reason}") from error


def _parse(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> None:
    try:
        context = command.make_context(name, list(words), parent=parent)
    except click.exceptions.Exit:
        return  # --help and --version end here
    except click.exceptions.NoArgsIsHelpError:
        return
    if isinstance(command, click.Group):
        inner = [*context._protected_args, *context.args]
        assert inner, f"{name} needs a command"
        found_name, found, rest = command.resolve_command(context, inner)
        assert found is not None and found_name is not None, f"no command {inner[0]}"
        _parse(found, found_name, rest, context)


@contextmanager
def _quiet() -> Iterator[None]:
    """Parse without traces: ``--json`` switches the console, ``--help`` prints, paths need not exist."""
    machine = console.is_machine()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            mock.patch.object(click.Path, "convert", lambda self, value, param, ctx: Path(value)),
        ):
            yield
    finally:
        console.speak_to_machine(machine)
