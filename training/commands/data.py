"""``deploy data``: generate clips, or say what a data folder holds."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option, seed_option

EPILOG = """\b
Examples:
  deploy data clips --out data/clips --clips 12
  deploy data inspect data/clips
"""


@click.group("data", epilog=EPILOG)
def command() -> None:
    """Generate clips with exact masks, or inspect a data folder."""


@command.command(
    "clips", epilog="\b\nExample:\n  deploy data clips --out data/held-out --clips 8 --held-out\n"
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder to write, in DAVIS layout."
)
@click.option("--clips", type=click.IntRange(min=1), default=12, show_default=True, help="Number of clips.")
@click.option("--frames", type=click.IntRange(min=1), default=24, show_default=True, help="Frames in each.")
@click.option(
    "--size", type=click.IntRange(min=32), default=160, show_default=True, help="Side of a frame, pixels."
)
@click.option("--held-out", is_flag=True, help="Write clips that training never sees.")
@seed_option
@json_option
def clips(out: Path, clips: int, frames: int, size: int, held_out: bool, seed: int) -> None:
    """Write generated clips with exactly known masks."""
    from deploy import console
    from training.data.davis_writer import write_clips

    write_clips(out, clips, frames, seed, size, "held_out" if held_out else "training")
    commands = [f"deploy data inspect {out}", f"deploy train binary_masks --data {out} --out runs/clips"]
    if held_out:
        commands[1] = f"deploy verify 'artifacts/*' --data {out}"
    console.say(f"{out}: {clips} clips of {frames} frames, {size}x{size} pixels")
    console.next_steps(commands)
    console.emit({"folder": str(out), "clips": clips, "frames": frames, "seed": seed, "next": commands})


@command.command("inspect", epilog="\b\nExample:\n  deploy data inspect data/clips --json\n")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def inspect(folder: Path) -> None:
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
