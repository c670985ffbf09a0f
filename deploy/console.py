"""Everything a person sees: tables, progress, notes and errors. The only module that imports rich."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "CANNOT-TELL": "bold yellow",
    "UNKNOWN": "yellow",
    "cached": "cyan",
}


class _Mode:
    """Whether this process speaks to a machine (``--json``): then stdout carries one JSON document."""

    machine = False


def speak_to_machine(machine: bool) -> None:
    """Choose between text for people (default) and one JSON document on stdout."""
    _Mode.machine = machine


def is_machine() -> bool:
    """True when ``--json`` was asked for."""
    return _Mode.machine


@cache
def _out() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
    return Console(highlight=False, width=width)


@cache
def _err() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(text: str = "") -> None:
    """A line for people, on stdout; silent under ``--json``. Rich markup is not interpreted."""
    if not _Mode.machine:
        _out().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """A line about the work itself, on stderr, so that pipes stay clean."""
    _err().print(text, markup=False, soft_wrap=True, style="dim")


def emit(payload: Any) -> None:
    """Print the command's JSON document on stdout; silent unless ``--json``."""
    if _Mode.machine:
        sys.stdout.write(json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people; verdict words are coloured. Silent under ``--json``."""
    if _Mode.machine:
        return
    from rich.table import Table
    from rich.text import Text

    view = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        view.add_column(column, overflow="fold")
    for row in rows:
        view.add_row(*(Text(cell, style=_STYLES.get(cell.split(" ")[0], "")) for cell in row))
    _out().print(view)


def next_steps(commands: Sequence[str]) -> None:
    """The exact commands that usually follow."""
    if commands:
        say("Next:")
        for command in commands:
            say(f"  {command}")


class Progress:
    """One progress bar; ``advance`` moves it, ``label`` says what is being worked on."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def advance(self, steps: float = 1) -> None:
        """Move the bar by ``steps``."""
        if self._bar is not None:
            self._bar.advance(self._task, steps)

    def label(self, text: str) -> None:
        """Change the words before the bar."""
        if self._bar is not None:
            self._bar.update(self._task, description=text)


@contextmanager
def progress(label: str, total: float | None) -> Iterator[Progress]:
    """A progress bar on stderr; nothing is drawn under ``--json`` or when stderr is not a terminal.

    Args:
        label: words before the bar.
        total: number of steps; ``None`` for work of unknown length.
    """
    if _Mode.machine or not _err().is_terminal:
        yield Progress(None, None)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=_err(), transient=True) as bar:
        yield Progress(bar, bar.add_task(label, total=total))


def fail(error: DeployError) -> None:
    """Show an error: id and summary, then what to type next. JSON on stdout under ``--json``."""
    if _Mode.machine:
        emit(error.to_dict())
        return
    _err().print(f"{error.error_id}: {error.summary}", style="bold red", markup=False, soft_wrap=True)
    _err().print(f"  → {error.remedy}", markup=False, soft_wrap=True)
