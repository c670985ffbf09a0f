"""``deploy data cvat``: packages to and from the review tool CVAT."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from deploy.commands.lazy import LazyGroup
from deploy.commands.options import json_option

COMMANDS: dict[str, tuple[str, str]] = {
    "pack": ("training.commands.data_cvat:pack_command", "Write an archive that CVAT imports."),
    "unpack": ("training.commands.data_cvat:unpack_command", "Read an archive that CVAT exported."),
}

EPILOG = """\b
Examples:
  deploy data cvat pack data/round1 --out round1.zip
  deploy data cvat unpack reviewed.zip --out data/reviewed
"""

_FORMATS = click.Choice(["yolo", "coco"])


@click.command("cvat", cls=LazyGroup, table=COMMANDS, epilog=EPILOG)
def command() -> None:
    """Exchange labelled pictures with CVAT (YOLO 1.1 and COCO 1.0)."""


@click.command(
    "pack",
    epilog="\b\nExamples:\n  deploy data cvat pack data/round1 --out round1.zip\n"
    "  deploy data cvat pack data/round1 --format coco --with-ignored --out round1.zip\n",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Archive to write.")
@click.option(
    "--format", "kind", type=_FORMATS, default="yolo", show_default=True, help="YOLO 1.1 or COCO 1.0."
)
@click.option("--with-ignored", is_flag=True, help="Pack ignored objects too, for people to confirm.")
@click.option("--images/--no-images", default=True, show_default=True, help="Pack the pictures too.")
@json_option
def pack_command(
    folder: Path, out: Path, kind: Literal["yolo", "coco"], with_ignored: bool, images: bool
) -> None:
    """Write the labelled FOLDER as an archive that CVAT imports."""
    from deploy import console
    from training.data.cvat.pack import pack
    from training.data.labelled_folders import open_labelled

    found = open_labelled(folder)
    with console.progress("Packing", len(found.pictures)) as bar:
        facts = pack(found, out, kind, ignored=with_ignored, images=images, told=bar.advance)
    console.say(f"{out}: {facts['objects']} objects on {facts['pictures']} pictures.")
    if facts["ignored_left_out"]:
        console.say(f"{facts['ignored_left_out']} ignored objects were left out; --with-ignored packs them.")
    if facts["outlines_lost"]:
        console.say(f"{facts['outlines_lost']} outlines became boxes; --format coco keeps them.")
    commands = [f"deploy data cvat unpack reviewed.zip --out {folder}-reviewed"]
    console.next_steps(commands)
    console.emit({**facts, "out": str(out), "format": kind, "next": commands})


@click.command(
    "unpack",
    epilog="\b\nExamples:\n  deploy data cvat unpack reviewed.zip --out data/reviewed\n"
    "  deploy data cvat unpack reviewed.zip --images data/round1 --out data/reviewed\n",
)
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--images", type=click.Path(path_type=Path), default=None, help="Where its pictures lie.")
@click.option("--to", "target", type=_FORMATS, default="yolo", show_default=True, help="The layout to write.")
@json_option
def unpack_command(archive: Path, out: Path, images: Path | None, target: Literal["yolo", "coco"]) -> None:
    """Write what ARCHIVE holds as a data folder."""
    from deploy import console
    from training.data.cvat.run import unpack

    with console.progress("Unpacking", None) as bar:
        facts = unpack(archive, out, images, target, bar.advance)
    console.say(f"{out}: {facts['objects']} objects on {facts['pictures']} pictures.")
    commands = [f"deploy data inspect {out}"]
    console.next_steps(commands)
    console.emit({**facts, "out": str(out), "next": commands})
