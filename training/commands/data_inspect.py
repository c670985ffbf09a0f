"""``deploy data inspect``: say what a data folder holds."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option


@click.command("inspect", epilog="\b\nExample:\n  deploy data inspect data/clips --json\n")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def command(folder: Path) -> None:
    """Read every file of a data folder and say what it holds."""
    from deploy import console
    from training.data.summary import summarise

    facts = summarise(folder)
    rows = [(key.replace("_", " "), _text(value)) for key, value in facts.items()]
    console.table(str(folder), ("what", "value"), rows)
    console.emit(facts)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
