"""``cli.md``: the live ``--help`` of every command."""

from __future__ import annotations

import click

from deploy.cli import root
from docs.generators import NOTE

WIDTH = 100

INTRO = """# Commands

What `deploy X --help` prints, for every X. All commands share three habits:

- `--json` prints one JSON document on stdout; progress and notes go to stderr, so pipes stay clean.
- A mistake is one line with a stable id and one line that says what to type next ([all of them](errors.md)).
- A command ends by printing the commands that usually follow.

| exit code | meaning |
|---:|---|
| 0 | PASS, or simply done |
| 1 | something is wrong with the input or the machine; the message says what |
| 2 | the command line itself is wrong |
| 3 | FAIL: judged, and not good enough |
| 4 | CANNOT-TELL or UNKNOWN: more samples, or another machine, would settle it |
| 5 | INCOMPARABLE: the two things must not be compared |
| 130 | stopped by Ctrl-C |

"""


def page() -> str:
    """The whole page."""
    shown: dict[tuple[str, ...], None] = {(): None}
    for path in leaf_commands():
        shown |= {path[:length]: None for length in range(1, len(path) + 1)}
    return NOTE + INTRO + "\n".join(_section(path, command_at(path)) for path in shown)


def leaf_commands(above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command that does something, at any depth: ``("train",)``, ``("data", "clips")`` and so on."""
    group = command_at(above)
    assert isinstance(group, click.Group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(click.Context(group)):
        path = (*above, name)
        found += leaf_commands(path) if isinstance(command_at(path), click.Group) else [path]
    return found


def command_at(path: tuple[str, ...]) -> click.Command:
    """The click command behind its words."""
    command: click.Command = root
    for word in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"no command {' '.join(path)}"
        command = found
    return command


def _section(path: tuple[str, ...], command: click.Command) -> str:
    words = " ".join(("deploy", *path))
    context = click.Context(
        command,
        info_name=words,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## {words}\n\n```text\n{text}\n```\n"
