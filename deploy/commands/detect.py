"""``deploy detect``: find small objects in folders of pictures and in videos, tile by tile, with resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import engine_options, json_option
from deploy.commands.tiling_options import given_tiling, tiling_options

if TYPE_CHECKING:
    from deploy.artifacts import Exported
    from deploy.contracts.tiling import Tiling
    from deploy.tiled.results import Tally

EPILOG = """\b
Examples:
  deploy detect artifacts/helmets-onnx-w8a8 frames/ --out found/
  deploy detect artifacts/helmets-onnx-fp32 frames/ --tile 640x640 --merge nms:iou:0.5 --draw
  deploy detect artifacts/helmets-onnx-w8a8 gate.mp4 --motion 8 --out found/
  deploy detect artifacts/helmets-onnx-fp32 frames/ --format coco --engine ray --out found/

SOURCE is a folder of pictures, a picture or a video file. Typing the same command again goes on where the
last one stopped, however it stopped. Tiles are the file's own unless options change them.

Exit code: 0 when every picture was looked at, 1 when some could not be read (they are named).
"""


@click.command("detect", epilog=EPILOG)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("detections"),
    show_default=True,
    help="Where results go.",
)
@tiling_options
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Least score of an object [default: the file's].",
)
@click.option(
    "--motion",
    type=click.FloatRange(0, 255, min_open=True),
    help="Videos of a fixed camera: run only tiles that changed by more than so many grey levels.",
)
@click.option("--draw", is_flag=True, help="Write pictures with the objects drawn in to OUT/drawn.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "coco"]),
    default="jsonl",
    show_default=True,
    help="One line a picture, or one COCO document.",
)
@engine_options
@json_option
def command(**options: Any) -> int:
    """Find objects with ARTIFACT in SOURCE, tile by tile."""
    from deploy import console
    from deploy.artifacts import check_bytes, open_artifact
    from deploy.errors import ExitCode
    from deploy.jobs.folder import read_rows, run_job
    from deploy.threads import usable_cores
    from deploy.tiled.folder import detection
    from deploy.tiled.results import write_results
    from deploy.tiled.sources import items_of

    exported = open_artifact(options["artifact"])
    check_bytes(exported)
    tiling = _tiling(exported, options)
    out: Path = options["out"]
    work = detection(
        exported.folder,
        tiling,
        options["confidence"],
        out / "drawn" if options["draw"] else None,
        options["motion"],
    )
    items = items_of(options["source"])
    with console.progress("detecting", len(items)) as bar:

        def told(done: int, found: int) -> None:
            if not done and found:
                console.note(f"{found} of {len(items)} were finished before; going on.")
            bar.advance(done or found)

        rows = run_job(
            work,
            items,
            out / "job",
            told,
            engine=options["engine"],
            workers=options["workers"] or usable_cores(),
            shard_size=4,
        )
    names = getattr(exported.artifact.decode, "class_names", ())
    tally = write_results(read_rows(rows), out, options["kind"], names)
    _show(tally, tiling, options)
    return ExitCode.ERROR if tally.errors else ExitCode.PASS


def _tiling(exported: Exported, options: dict[str, Any]) -> Tiling:
    """The declared tiling, changed by what was typed; a change is said."""
    from deploy import console
    from deploy.tiled.detector import declared_tiling

    spec = exported.artifact.preprocess
    declared = None if spec is None else spec.tiling
    given = given_tiling(options, declared)
    if given is None:
        return declared_tiling(exported)
    if declared is not None and given != declared:
        before, after = declared.to_json(), given.to_json()
        changes = [f"{key} {before[key]} -> {after[key]}" for key in after if before[key] != after[key]]
        console.note(f"Not as {exported.folder.name} declares it: {'; '.join(changes)}.")
    return given


def _show(tally: Tally, tiling: Tiling, options: dict[str, Any]) -> None:
    """What was found, what could not be read, and where it all lies."""
    from deploy import console
    from deploy.tiled.results import COCO, LINES

    file = options["out"] / (COCO if options["kind"] == "coco" else LINES)
    console.emit({**vars(tally), "tiling": tiling.to_json(), "file": str(file)})
    console.say(f"{tally.objects} objects in {tally.pictures} pictures: {file}")
    if tally.unanswered:
        console.say(f"{tally.unanswered} pictures have no answer: the whole picture gave no hint.")
    if tally.tiles:
        console.say(f"{tally.tiles_skipped / tally.tiles:.0%} of {tally.tiles} tiles had not changed.")
    if tally.errors:
        console.table(
            "Not looked at", ["picture", "why"], [[e["picture"], e["summary"]] for e in tally.errors]
        )
    console.next_steps(
        [f"deploy verify {options['artifact']} --task tiled_detection --data DIR  # labelled pictures"]
    )
