"""The results of a folder of pictures: JSON lines, or one COCO document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.store import canonical_json, scratch_folder, write_json

LINES = "detections.jsonl"
COCO = "detections.coco.json"


@dataclass
class Tally:
    """Counts over all rows; ``errors``: item and sentence of pictures that could not be looked at."""

    pictures: int = 0
    objects: int = 0
    unanswered: int = 0
    tiles: int = 0
    tiles_skipped: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)


def write_results(rows: Iterable[dict[str, Any]], out: Path, kind: str, names: tuple[str, ...]) -> Tally:
    """Write the rows of a finished job as ``jsonl`` or ``coco`` into ``out``; the file appears whole."""
    tally = Tally()
    pictures = _pictures(rows, tally)
    if kind == "coco":
        write_json(out / COCO, _coco(pictures, names))
        return tally
    with scratch_folder(out, LINES) as work:
        with (work / LINES).open("w", encoding="utf-8") as lines:
            for picture in pictures:
                lines.write(canonical_json(picture) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
        (work / LINES).replace(out / LINES)
    return tally


def _pictures(rows: Iterable[dict[str, Any]], tally: Tally) -> Iterator[dict[str, Any]]:
    """One entry a picture, counted; items that failed become an entry with their error."""
    for row in rows:
        if "error" in row:
            name = row["key"].rsplit("|", 2)[0]
            tally.errors.append({"picture": name, **row["error"]})
            yield {"picture": name, "error": row["error"]}
            continue
        for picture in row["result"]:
            tally.tiles += picture.pop("tiles", 0)
            tally.tiles_skipped += picture.pop("tiles_skipped", 0)
            tally.pictures += 1
            tally.unanswered += picture["objects"] is None
            tally.objects += len(picture["objects"] or ())
            yield picture


def _coco(pictures: Iterable[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """Categories are numbered from 1; pictures without an answer are not listed, nor are unreadable ones."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for picture in pictures:
        if picture.get("objects") is None:
            continue
        facts = {key: picture[key] for key in ("width", "height", "sha256")}
        images.append({"id": len(images) + 1, "file_name": picture["picture"], **facts})
        for found in picture["objects"]:
            left, top, right, bottom = found["box"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": found["class"] + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "score": found["score"],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": place + 1, "name": name} for place, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": categories}
