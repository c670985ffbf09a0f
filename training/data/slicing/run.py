"""Slice a whole folder: split first, cut on every core, go on after a kill, say where each tile is from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.jobs.folder import read_rows, run_job
from deploy.jobs.protocol import Item, Work
from deploy.store import canonical_json, sha256_bytes, write_atomic, write_json
from deploy.threads import usable_cores
from training.data.interchange.yolo_folder import data_yaml, write_yolo
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture
from training.data.labelled_folders import open_labelled, outlines
from training.data.leaks.moments import Moment, moments_of
from training.data.slicing.plan import Side, Splitting, sides_of
from training.data.slicing.tiles import Cutting, Source

Told = Callable[[int, int], None]


def slice_folder(
    source: Path,
    out: Path,
    cutting: Cutting,
    splitting: Splitting,
    told: Told,
    *,
    engine: str = "local",
    workers: int | None = None,
) -> dict[str, Any]:
    """Cut a YOLO or COCO folder into ``out/train`` and ``out/valid`` (YOLO layout with ``ignore/``).

    ``out/slices.jsonl`` names source, hash and window of every tile; ``out/slices.json`` holds the
    settings and counts. Pictures of the held-out side also lie whole in ``out/held_out``: a detector that
    works in tiles is judged on pictures, not on tiles.

    Args:
        told: called with (pictures done now, pictures that were done already).
        engine, workers: of the folder job; all cores unless told.

    Returns:
        What ``slices.json`` says.

    Raises:
        DeployError: ``OUTPUT-EXISTS`` where ``out`` holds another slicing, or one of other pictures,
        ``SPLIT-EMPTY``, and what reading
            raises.
    """
    found = open_labelled(source)
    if not found.pictures:
        raise DeployError("DATA-EMPTY", f"There are no pictures in {source}.", "Name a folder with pictures.")
    moments = moments_of([picture.name for picture in found.pictures], source)
    sides = sides_of(moments, splitting)
    chosen = [index for index, side in enumerate(sides) if side != "aside"]
    items = [_item(found.pictures[index], sides[index]) for index in chosen]
    plan = {
        "source": str(source.resolve()),
        "cutting": cutting.settings(),
        "splitting": asdict(splitting),
        "class_names": list(found.class_names),
        "pictures_sha256": sha256_bytes("\n".join(item.key for item in items).encode()),
    }
    _claim(out, plan)
    work = Work(
        "training.data.slicing.tiles:make_slicer",
        {"out": str(out.resolve()), "cutting": cutting.settings()},
    )
    rows = run_job(
        work, items, out / ".job", told, engine=engine, workers=workers or usable_cores(), shard_size=8
    )
    return _finish(out, plan, found, moments, sides, [found.pictures[i].name for i in chosen], rows)


def _claim(out: Path, plan: dict[str, Any]) -> None:
    """Make ``out`` this slicing's own, or see that it is already."""
    claim = out / ".job" / "plan.json"
    if claim.is_file():
        if json.loads(claim.read_text(encoding="utf-8")) == json.loads(canonical_json(plan)):
            return
        raise DeployError(
            "OUTPUT-EXISTS",
            f"{out} holds a slicing with other settings, or of pictures that have changed since.",
            "Name another place with --out, or give the settings it was begun with (.job/plan.json).",
        )
    if out.exists() and any(out.iterdir()):
        raise DeployError(
            "OUTPUT-EXISTS", f"{out} is already there.", "Name another place with --out, or remove it."
        )
    write_json(claim, plan)


def _item(picture: LabelledPicture, side: Side) -> Item:
    objects = tuple(
        LabelledObject(each.klass, each.box, outlines(each), each.ignore) for each in picture.objects
    )
    state = picture.path.stat()
    labels = [[o.klass, o.box, [part.tolist() for part in o.parts], o.ignore] for o in objects]
    key = [
        picture.name,
        side,
        state.st_size,
        state.st_mtime_ns,
        sha256_bytes(canonical_json(labels).encode()),
    ]
    return Item(
        canonical_json(key), Source(picture.name, picture.path.resolve(), side, picture.size, objects)
    )


def _finish(
    out: Path,
    plan: dict[str, Any],
    found: LabelledFolder,
    moments: Sequence[Moment],
    sides: Sequence[Side],
    names: Sequence[str],
    rows: Path,
) -> dict[str, Any]:
    when = {picture.name: moment for picture, moment in zip(found.pictures, moments, strict=True)}
    counts: Counter[str] = Counter()
    lines = []
    for name, row in zip(names, read_rows(rows), strict=True):
        if "error" in row:
            raise DeployError.from_dict(row["error"])
        result, moment = row["result"], when[name]
        counts["empty_tiles_dropped"] += result["dropped"]
        for tile in result["tiles"]:
            side = tile["tile"].split("/")[0]
            counts[f"{side}_tiles"] += 1
            counts["empty_tiles_kept"] += not (tile["objects"] or tile["ignored"])
            counts["objects"] += tile["objects"]
            counts["ignored"] += tile["ignored"]
            origin = {"source": result["source"], "source_sha256": result["source_sha256"]}
            taken = {"camera": moment.camera, "time": moment.time, "time_unit": moment.unit}
            lines.append(canonical_json({**tile, **origin, **taken}))
    _hold_out(out, found, sides)
    pictures = Counter(sides)
    parts = tuple(f"{part}/images" for part in ("train", "valid") if pictures[part])
    write_atomic(out / "data.yaml", data_yaml(found.class_names, parts))
    text = "".join(f"{line}\n" for line in lines)
    write_atomic(out / "slices.jsonl", text)
    sums = {"pictures": dict(pictures), **counts, "slices_sha256": sha256_bytes(text.encode())}
    facts = {**plan, **sums}
    write_json(out / "slices.json", facts)
    return facts


def _hold_out(out: Path, found: LabelledFolder, sides: Sequence[Side]) -> None:
    """Held-out pictures, whole, with their labels."""
    held = [picture for picture, side in zip(found.pictures, sides, strict=True) if side == "valid"]
    if held and not (out / "held_out").exists():
        write_yolo(LabelledFolder(found.class_names, tuple(held)), out / "held_out")
