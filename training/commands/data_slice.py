"""``deploy data slice``: cut a data set into tiles, after splitting it by camera and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.commands.options import engine_options, json_option, seed_option
from deploy.commands.tiling_options import TileSize

EPILOG = """\b
Examples:
  deploy data slice data/cctv --out data/tiles --tile 640x640 --overlap 0.2
  deploy data slice data/cctv --out data/tiles --keep-empty 0.2 --hold-out 0 --engine ray

The split comes first: pictures of one camera and one block of time go to one side, and training pictures too
close in time to a held-out one are set aside. Camera and time come from moments.csv (file,camera,time) in
the folder, else from file names. Type the same command to go on after an interruption.
"""


_SHARE = click.FloatRange(0, 1)


@click.command("slice", epilog=EPILOG)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--tile", default="640x640", show_default=True, type=TileSize(), help="WIDTHxHEIGHT, pixels.")
@click.option(
    "--overlap", type=click.FloatRange(0, 0.95), default=0.2, show_default=True, help="Share of a tile."
)
@click.option(
    "--min-visible",
    type=_SHARE,
    default=0.3,
    show_default=True,
    help="Share of an object a tile must show; less is labelled to be ignored.",
)
@click.option(
    "--keep-empty", type=_SHARE, default=0.1, show_default=True, help="Share of empty training tiles kept."
)
@click.option(
    "--hold-out", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share of pictures."
)
@click.option(
    "--block-seconds", type=click.FloatRange(0.001), default=600.0, show_default=True, help="Of a group."
)
@click.option("--block-frames", type=click.IntRange(1), default=300, show_default=True, help="Without times.")
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["jpg", "png"]),
    default="jpg",
    show_default=True,
    help="Of tiles.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="JPEG quality.")
@engine_options
@seed_option
@json_option
def command(
    source: Path,
    out: Path,
    tile: tuple[int, int],
    overlap: float,
    engine: str,
    workers: int | None,
    **options: Any,
) -> None:
    """Cut the pictures of SOURCE into tiles, with what each tile shows of every object."""
    from deploy import console
    from deploy.contracts.tiling import Tiling
    from training.data.slicing.plan import Splitting
    from training.data.slicing.run import slice_folder
    from training.data.slicing.tiles import Cutting

    cutting = Cutting(
        Tiling(width=tile[0], height=tile[1], overlap=overlap),
        options["min_visible"],
        options["keep_empty"],
        f".{options['suffix']}",
        options["quality"],
        options["seed"],
    )
    splitting = Splitting(
        options["hold_out"], options["seed"], options["block_seconds"], options["block_frames"]
    )
    with console.progress("Cutting pictures", None) as bar:
        facts = slice_folder(
            source,
            out,
            cutting,
            splitting,
            lambda done, _: bar.advance(done),
            engine=engine,
            workers=workers,
        )
    shown = ("train_tiles", "valid_tiles", "objects", "ignored", "empty_tiles_kept", "empty_tiles_dropped")
    rows = [(f"pictures, {side}", str(count)) for side, count in sorted(facts["pictures"].items())]
    console.table(
        str(out), ("what", "count"), [*rows, *((k.replace("_", " "), str(facts.get(k, 0))) for k in shown)]
    )
    commands = [f"deploy data inspect {out / 'train'}"]
    if facts["pictures"].get("valid"):
        commands.append(f"deploy data leaks {out / 'train'} {out / 'held_out'}")
    console.next_steps(commands)
    console.emit({**facts, "out": str(out), "next": commands})
