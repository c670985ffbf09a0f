"""``deploy lint``: risks of a model or a file, found before anybody quantizes or ships it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import json_option, seed_option, threads_option
from export.formats.coreml_systems import SYSTEMS

if TYPE_CHECKING:
    from export.lint.flow import Linted

EPILOG = """\b
Examples:
  deploy lint runs/first
  deploy lint yolov8n-seg.pt --target coreml,executorch --samples my_pictures
  deploy lint artifacts/yolov8n-seg-coreml-fp16 --coreml-target iOS16
  deploy lint theirs.onnx

MODEL is whatever deploy export takes, an artifact folder (its reference, if it lies beside it, is looked at
too), or a model file. Ranges are those of real samples: name your own pictures with --samples.
Exit code: 0 clean, or warnings and notes only; 3 when there is an error.
"""


@click.command("lint", epilog=EPILOG)
@click.argument("model")
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    default=("all",),
    help="onnx, coreml, executorch [default: all].",
)
@click.option("--samples", type=click.Path(path_type=Path), help="Pictures to take ranges on.")
@click.option(
    "--sample-count", type=click.IntRange(1, 64), default=4, show_default=True, help="How many of them."
)
@click.option(
    "--coreml-target",
    type=click.Choice(SYSTEMS),
    default="iOS17",
    show_default=True,
    help="Oldest system a package must run on.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file, as for deploy export.")
@click.option(
    "--input", "inputs", multiple=True, help="Input shape as NAME=1x3x256x256, as for deploy export."
)
@click.option("--image-size", type=click.IntRange(min=8), help="Picture size where the model allows several.")
@click.option("--preprocess", type=click.Path(path_type=Path), help="JSON file with a preprocess block.")
@click.option("--decode", type=click.Path(path_type=Path), help="JSON file with a decode block.")
@seed_option
@threads_option
@json_option
def command(**options: Any) -> int:
    """Look for what goes wrong on phones in MODEL: before quantizing it, or in a file that exists.

    Mixed ranges in one tensor, values that fp16 cannot hold, ops that delegates lack, programs that bar the
    Neural Engine, suppression inside the graph, open shapes, and systems too old for the file.
    """
    from deploy import console
    from deploy.threads import usable_cores
    from export.lint.flow import lint
    from export.request import ExportRequest, parse_input
    from export.targets import TARGETS

    names = [name for text in options["targets"] for name in text.split(",")]
    named = tuple(dict.fromkeys(TARGETS.check(name) for name in names if name != "all"))
    keys = ("weights", "image_size", "preprocess", "decode", "samples", "sample_count", "coreml_target")
    found = lint(
        ExportRequest(
            spec=options["model"],
            targets=tuple(TARGETS.names()) if "all" in names else named,
            precisions=(),
            out=Path("artifacts"),
            inputs=tuple(parse_input(text) for text in options["inputs"]),
            seed=options["seed"],
            threads=options["threads"] or usable_cores(),
            **{key: options[key] for key in keys},
        )
    )
    console.emit(found.to_dict())
    _show(found)
    return found.exit_code


def _show(found: Linted) -> None:
    from deploy import console

    for each in found.findings:
        module = f" in {each.module}" if each.module else ""
        console.say(f"{each.severity}: {each.id}: {each.where}{module}")
        console.say(f"  {each.why}")
        console.say(f"  → {each.fix}")
    for name, reason in found.skipped.items():
        console.say(f"not checked: {name}: {reason}")
    counts = {
        kind: sum(each.severity == kind for each in found.findings) for kind in ("error", "warning", "note")
    }
    console.say(
        ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items()) + "."
    )
