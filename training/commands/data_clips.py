"""``deploy data clips``: generate clips with exact masks."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option, seed_option


@click.command("clips", epilog="\b\nExample:\n  deploy data clips --out data/held-out --clips 8 --held-out\n")
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
def command(out: Path, clips: int, frames: int, size: int, held_out: bool, seed: int) -> None:
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
