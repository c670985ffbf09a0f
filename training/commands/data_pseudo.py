"""``deploy data pseudo``: labels that a model proposes, for people to review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deploy.commands.options import engine_options, json_option
from deploy.commands.tiling_options import given_tiling, tiling_options

EPILOG = """\b
Examples:
  deploy data pseudo artifacts/helmets-onnx-fp32 frames/ --out data/round1 --threshold with_helmet=0.55
  deploy data pseudo artifacts/helmets-onnx-fp32 frames/ --out data/round2 --flip --scale 1.25 --hard 200
  deploy data pseudo artifacts/v4-onnx-fp32 frames/ --out data/round3 --parent data/round2

Boxes above their class's threshold become labels; those between --low and it go to ignore/, so that training
neither learns nor unlearns them. --hard lists pictures to look at first. iteration.json says which model,
which rules and which round before.
"""


def _thresholds(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, float]:
    """``NAME=VALUE`` pairs."""
    found = {}
    for text in value:
        name, _, number = text.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not name or not 0 < found[name] < 1:
            raise click.BadParameter(f"{text!r} is no threshold; write one such as with_helmet=0.55")
    return found


@click.command("pseudo", epilog=EPILOG)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@tiling_options
@click.option("--threshold", "given", multiple=True, callback=_thresholds, help="NAME=VALUE, for one class.")
@click.option(
    "--default-threshold",
    "default",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="For all other classes.",
)
@click.option(
    "--low",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.15,
    show_default=True,
    help="Boxes that score less are nothing.",
)
@click.option("--flip", is_flag=True, help="Look at every picture mirrored as well.")
@click.option(
    "--scale", "scales", type=click.FloatRange(0.1, 8), multiple=True, help="Look at it in this size as well."
)
@click.option(
    "--hard", type=click.IntRange(0), default=0, show_default=True, help="Pictures to list for review."
)
@click.option(
    "--parent", type=click.Path(path_type=Path), default=None, help="The round this model learned from."
)
@engine_options
@json_option
def command(artifact: Path, folder: Path, out: Path, **options: Any) -> None:
    """Let ARTIFACT propose labels for the pictures of FOLDER."""
    from deploy import console
    from deploy.artifacts import open_artifact
    from deploy.tiled.detector import declared_tiling
    from training.data.pseudo.run import pseudo_label
    from training.data.pseudo.thresholds import Thresholds
    from training.data.pseudo.views import views_of

    exported = open_artifact(artifact)
    spec = exported.artifact.preprocess
    tiling = given_tiling(options, None if spec is None else spec.tiling) or declared_tiling(exported)
    names = getattr(exported.artifact.decode, "class_names", ())
    thresholds = Thresholds.of(names, options["default"], options["given"], options["low"])
    with console.progress("Proposing labels", None) as bar:
        record = pseudo_label(
            exported,
            folder,
            out,
            tiling,
            thresholds,
            views_of(options["flip"], options["scales"]),
            lambda done, _: bar.advance(done),
            hard=options["hard"],
            parent=options["parent"],
            engine=options["engine"],
            workers=options["workers"],
        )
    rows = [(f"labels, {name}", str(count)) for name, count in record["labels"].items()]
    rows += [
        (key.replace("_", " "), str(record[key]))
        for key in ("ignored", "without_label", "without_answer", "hard")
    ]
    console.table(f"{out}: round {record['iteration']}", ("what", "count"), rows)
    commands = [f"deploy data cvat pack {out} --out {out}.zip", f"deploy data inspect {out}"]
    console.next_steps(commands)
    console.emit({**record, "out": str(out), "next": commands})
