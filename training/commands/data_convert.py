"""``deploy data convert``: a labelled folder in another layout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from deploy.commands.options import json_option

EPILOG = """\b
Examples:
  deploy data convert data/coco --to yolo --out data/yolo
  deploy data convert instances_train.json --to yolo --out data/labels

A folder is converted whole, pictures and outlines included. A COCO annotation file alone becomes label files
of its boxes: crowds and boxes without area are left out, and counted.
"""


@click.command("convert", epilog=EPILOG)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to", "target", type=click.Choice(["yolo", "coco"]), required=True, help="The layout to write."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@json_option
def command(source: Path, target: Literal["yolo", "coco"], out: Path) -> None:
    """Write SOURCE, a YOLO or COCO folder or a COCO annotation file, in another layout."""
    from deploy import console
    from training.data.interchange.convert import convert_annotations, convert_folder

    if source.suffix == ".json" and target == "yolo":
        facts = convert_annotations(source, out)
    else:
        with console.progress("Converting", None) as bar:
            facts = convert_folder(source, out, target, bar.advance)
    shown = [(key.replace("_", " "), str(value)) for key, value in facts.items() if key != "classes"]
    console.table(str(out), ("what", "count"), [*shown, ("classes", ", ".join(facts["classes"]))])
    commands = [f"deploy data inspect {out}"] if source.suffix != ".json" else []
    console.next_steps(commands)
    console.emit({**facts, "out": str(out), "next": commands})
