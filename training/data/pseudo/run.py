"""Propose labels for a folder of pictures, on every core or a cluster, and write them for review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from deploy.artifacts import Exported, check_bytes
from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError
from deploy.jobs.folder import read_rows, run_job
from deploy.jobs.protocol import Item, Work
from deploy.store import canonical_json, sha256_bytes, write_atomic
from deploy.threads import usable_cores
from deploy.tiled.sources import items_of
from training.data.interchange.yolo_folder import write_yolo
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture
from training.data.pseudo.mining import hardest
from training.data.pseudo.records import counts, read_record, write_record
from training.data.pseudo.thresholds import Thresholds
from training.data.pseudo.views import View

Told = Callable[[int, int], None]


def pseudo_label(
    exported: Exported,
    folder: Path,
    out: Path,
    tiling: Tiling,
    thresholds: Thresholds,
    views: tuple[View, ...],
    told: Told,
    *,
    hard: int = 0,
    parent: Path | None = None,
    engine: str = "local",
    workers: int | None = None,
) -> dict[str, Any]:
    """Write ``out`` in YOLO layout: sure boxes as labels, unsure ones in ``ignore/``, pictures copied.

    Beside it stand ``iteration.json`` and, where ``hard`` is above 0, ``hard.jsonl``: so many pictures that a
    person should look at, hardest first and unlike each other. Pictures on which the gate has no answer are
    left out, and counted. A killed run goes on where it stopped.

    Raises:
        DeployError: ``OUTPUT-EXISTS``, ``ITERATION-BROKEN``, ``NO-PICTURES``, ``ARTIFACT-CHANGED``, and what
            reading the first broken picture raises.
    """
    if out.exists():
        raise DeployError("OUTPUT-EXISTS", f"{out} is already there.", "Name another place with --out.")
    check_bytes(exported)
    if parent is not None:
        read_record(parent)  # a wrong parent is said before hours of work
    settings = {
        "artifact": str(exported.folder.resolve()),
        "model": exported.artifact.model_sha256,
        "tiling": tiling.to_json(),
        "views": [list(astuple(view)) for view in views],
        "thresholds": list(thresholds.by_class.values()),
        "low": thresholds.low,
    }
    items = [Item(item.key, Path(item.payload.path)) for item in items_of(folder)]
    job = out.parent / f".{out.name}.job"
    work = Work("training.data.pseudo.propose:make_proposer", settings)
    cores = workers or usable_cores()
    lines = list(read_rows(run_job(work, items, job, told, engine=engine, workers=cores, shard_size=4)))
    for line in lines:
        if "error" in line:
            raise DeployError.from_dict(line["error"])
    rows = [line["result"] for line in lines]
    names = tuple(thresholds.by_class)
    paths = [item.payload for item in items]
    answered = [(path, row) for path, row in zip(paths, rows, strict=True) if row["objects"] is not None]
    pictures = tuple(_picture(folder, path, row) for path, row in answered)
    write_yolo(LabelledFolder(names, pictures), out)
    chosen = _hard(folder, paths, rows, hard)
    if hard:
        write_atomic(out / "hard.jsonl", "".join(f"{canonical_json(each)}\n" for each in chosen))
    facts = {
        "model_sha256": exported.artifact.model_sha256,
        "tiling": tiling.to_json(),
        "views": settings["views"],
        "thresholds": thresholds.to_json(),
        "source": str(folder.resolve()),
        "pictures_sha256": sha256_bytes("\n".join(row["sha256"] for row in rows).encode()),
        "hard": len(chosen),
        **counts(rows, names),
    }
    return write_record(out, facts, parent)


def _picture(folder: Path, path: Path, row: dict[str, Any]) -> LabelledPicture:
    height, width = row["size"]
    objects = tuple(
        LabelledObject(each["class"], tuple(each["box"]), (), each["ignore"]) for each in row["objects"]
    )
    name = path.relative_to(folder.resolve()).with_suffix("").as_posix()
    return LabelledPicture(name, path, (height, width), objects)


def _hard(folder: Path, paths: list[Path], rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The chosen pictures, with why each is hard."""
    scores = [0.0 if row["hardness"] is None else row["hardness"]["score"] for row in rows]
    chosen = hardest(list(zip(scores, (row["embedding"] for row in rows), strict=True)), count)
    return [
        {"picture": paths[index].relative_to(folder.resolve()).as_posix(), **rows[index]["hardness"]}
        for index in chosen
    ]
