"""``deploy data``: the table of commands that make, inspect, cut, clean and convert data folders."""

from __future__ import annotations

import click

from deploy.commands.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "clips": ("training.commands.data_clips:command", "Write generated clips with exactly known masks."),
    "cctv": ("training.commands.data_cctv:command", "Write frames of generated cameras with exact boxes."),
    "slice": (
        "training.commands.data_slice:command",
        "Split a data set by camera and time, and cut it into tiles.",
    ),
    "convert": ("training.commands.data_convert:command", "Write a labelled folder in another layout."),
    "leaks": ("training.commands.data_leaks:command", "Find evaluation pictures that were seen in training."),
    "dedup": (
        "training.commands.data_dedup:command",
        "Set frozen frames and near duplicates aside, with an undo.",
    ),
    "pseudo": ("training.commands.data_pseudo:command", "Let a model propose labels, and list what is hard."),
    "missing": (
        "training.commands.data_missing:command",
        "Find objects that people seem to have left unlabelled.",
    ),
    "cvat": ("training.commands.data_cvat:command", "Exchange labelled pictures with the review tool CVAT."),
    "inspect": ("training.commands.data_inspect:command", "Read a data folder and say what it holds."),
}

EPILOG = """\b
Examples:
  deploy data clips --out data/clips --clips 12
  deploy data cctv --out data/cameras --visits 30
  deploy data inspect data/clips
"""


@click.command("data", cls=LazyGroup, table=COMMANDS, epilog=EPILOG)
def command() -> None:
    """Generate, inspect, cut, clean and convert data folders."""
