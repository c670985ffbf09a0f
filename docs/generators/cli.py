"""``cli.md``: the live ``--help`` of every command."""

from __future__ import annotations

import click

from deploy.cli import COMMANDS, root
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
    parts = [_section((), root)]
    for path in leaf_commands():
        if len(path) == 2 and not any(f"## deploy {path[0]}\n" in part for part in parts):
            parts.append(_section(path[:1], command_at(path[:1])))
        parts.append(_section(path, command_at(path)))
    return NOTE + INTRO + "\n".join(parts)


def leaf_commands() -> list[tuple[str, ...]]:
    """Every command that does something: ``("train",)``, ``("data", "clips")`` and so on."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = command_at((name,))
        if isinstance(command, click.Group):
            found += [(name, part) for part in command.commands]
        else:
            found.append((name,))
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
