"""``deploy data dedup``: find frozen frames and near duplicates, and move them into quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.commands.options import engine_options, json_option

EPILOG = """\b
Examples:
  deploy data dedup data/cctv
  deploy data dedup data/cctv --apply
  deploy data dedup --undo data/cctv.quarantine/20260101T000000Z/undo.json

Nothing is moved without --apply, and nothing is ever deleted: duplicates go to FOLDER.quarantine with a
manifest that brings them back. Label files go with their pictures.
"""


@click.command("dedup", epilog=EPILOG)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--apply", is_flag=True, help="Move the duplicates; without it they are only listed.")
@click.option("--undo", type=click.Path(path_type=Path), default=None, help="Manifest to undo.")
@click.option(
    "--distance",
    type=click.IntRange(0, 15),
    default=6,
    show_default=True,
    help="Bits of 64 in which the hashes of a near duplicate may differ.",
)
@click.option(
    "--ssim",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="Least structural similarity of a near duplicate.",
)
@click.option(
    "--moved",
    type=click.FloatRange(0, 255),
    default=9.0,
    show_default=True,
    help="Grey levels by which a block of 8x8 pixels may differ.",
)
@click.option(
    "--band",
    type=click.FloatRange(0, 0.4),
    default=0.12,
    show_default=True,
    help="Share of the height, above and below, where a printed clock may differ.",
)
@engine_options
@json_option
def command(folder: Path | None, undo: Path | None, **options: Any) -> None:
    """List or set aside the pictures of FOLDER that repeat an earlier one."""
    if (folder is None) == (undo is None):
        raise click.UsageError("Name a FOLDER, or a manifest with --undo.")
    if undo is not None:
        _undo(undo)
    else:
        assert folder is not None
        _dedup(folder, **options)


def _undo(manifest: Path) -> None:
    from deploy import console
    from training.data.duplicates.quarantine import bring_back

    back, stayed = bring_back(manifest)
    console.say(f"{back} files brought back, {stayed} had never left.")
    console.emit({"manifest": str(manifest), "brought_back": back, "never_left": stayed})


def _dedup(folder: Path, **options: Any) -> None:
    from deploy import console
    from training.data.duplicates.likeness import Alike
    from training.data.duplicates.run import deduplicate

    how = Alike(options["distance"], options["ssim"], options["moved"], options["band"])
    with console.progress("Looking at pictures", None) as bar:
        facts = deduplicate(
            folder,
            how,
            lambda done, _: bar.advance(done),
            apply=options["apply"],
            engine=options["engine"],
            workers=options["workers"],
        )
    found = facts["duplicates"]
    shown = [(each["file"], each["original"], each["reason"]) for each in found[:20]]
    console.table(str(folder), ("picture", "repeats", "why"), shown)
    more = f" (the first {len(shown)} are shown)" if len(found) > len(shown) else ""
    what = f"{facts['exact']} exact and {facts['near']} near duplicates of {facts['pictures']} pictures{more}"
    moved = facts["manifest"] is not None
    console.say(f"{what}; they are in quarantine." if moved else f"{what}; nothing was moved.")
    commands = []
    if moved:
        commands = [f"deploy data dedup --undo {facts['manifest']}"]
    elif found:
        commands = [f"deploy data dedup {folder} --apply"]
    console.next_steps(commands)
    console.emit({**facts, "next": commands})
