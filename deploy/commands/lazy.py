"""A group of commands that is a table: a name to ``module:function``, imported when that command is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from deploy.errors import DeployError, ExitCode


class LazyGroup(click.Group):
    """A click group whose commands live elsewhere; ``--help`` reads the table alone.

    Args:
        table: each command's name to where it is (``module:function``) and a sentence about it.
    """

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command behind a name; ``None`` for an unknown one."""
        if cmd_name not in self.table:
            return None
        from deploy.registry import load_object

        return load_object(self.table[cmd_name][0])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse a mistyped name with the list of right ones."""
        if args and not args[0].startswith("-") and args[0] not in self.table:
            raise DeployError(
                "UNKNOWN-COMMAND",
                f"There is no command called {args[0]!r}.",
                f"Choose one of: {', '.join(self.table)}.",
                ExitCode.USAGE,
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing a single command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
