"""``deploy data cctv``: write frames of a generated world of fixed cameras."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option, seed_option

EPILOG = """\b
Example:
  deploy data cctv --out data/cameras --visits 30 --held-out
"""


@click.command("cctv", epilog=EPILOG)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder to write, in YOLO layout."
)
@click.option(
    "--visits", type=click.IntRange(min=1), default=30, show_default=True, help="Visits, cameras in turn."
)
@click.option("--frames", type=click.IntRange(min=1), default=4, show_default=True, help="Frames in each.")
@click.option("--held-out", is_flag=True, help="Write the two cameras that training never sees.")
@seed_option
@json_option
def command(out: Path, visits: int, frames: int, held_out: bool, seed: int) -> None:
    """Write camera frames of 480x270 pixels with people of 9 to 14, with and without helmets.

    A visit is a few frames of one camera two seconds apart; moments.csv holds camera and time of each.
    """
    from deploy import console
    from training.data.cctv.writer import write_cctv

    shots = write_cctv(out, "held_out" if held_out else "training", visits, frames, seed)
    commands = [f"deploy data inspect {out}", f"deploy train tiled_detection --data {out} --out runs/cameras"]
    if held_out:
        commands[1] = f"deploy verify artifacts/cameras-onnx-fp16 --task tiled_detection --data {out}"
    cameras = len({shot.camera for shot in shots})
    console.say(f"{out}: {len(shots)} frames of {cameras} cameras in {visits} visits")
    console.next_steps(commands)
    console.emit(
        {
            "folder": str(out),
            "pictures": len(shots),
            "cameras": cameras,
            "visits": visits,
            "seed": seed,
            "next": commands,
        }
    )
