"""``deploy data missing``: objects that a detector is sure of and nobody labelled."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option

EPILOG = """\b
Examples:
  deploy detect artifacts/helmets-onnx-fp32 data/valid/images --confidence 0.05 --out found/
  deploy data missing found/detections.jsonl data/valid

A box is a suspect when it touches nothing labelled and is as sure as boxes that are right. The likeliest
come first; look at them before you believe a count of false alarms.
"""


@click.command("missing", epilog=EPILOG)
@click.argument("detections", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--least-sureness",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the right boxes of its class that a suspect must outscore.",
)
@json_option
def command(detections: Path, folder: Path, least_sureness: float) -> None:
    """Compare DETECTIONS with the labels of FOLDER and list what seems unlabelled."""
    from deploy import console
    from training.data.pseudo.detections import read_beside_truth
    from training.data.pseudo.missing_truth import missing_truth

    pictures, predictions, truths, names = read_beside_truth(detections, folder)
    suspects = [
        {
            "picture": pictures[each.picture].name,
            "box": list(each.box),
            "label": names[each.klass],
            "score": each.score,
            "sureness": each.sureness,
        }
        for each in missing_truth(predictions, truths, least_sureness)
    ]
    shown = [
        (str(s["picture"]), str(s["label"]), f"{s['score']:.2f}", f"{s['sureness']:.0%}")
        for s in suspects[:20]
    ]
    if shown:
        console.table("Seems unlabelled", ("picture", "class", "score", "surer than"), shown)
    console.say(f"{len(suspects)} suspects in {len(pictures)} pictures.")
    console.emit({"pictures": len(pictures), "suspects": suspects})
