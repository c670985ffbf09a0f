"""The four ways of using a detector that every evaluation shows, as tilings of the same raw boxes."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.contracts.tiled_report import RowName
from deploy.contracts.tiling import Gate, Merge, Tiling
from deploy.tiled.raw import RawDetections

NO_MERGE = Merge(kind="none")


def ways(tiling: Tiling) -> Iterator[tuple[RowName, Tiling]]:
    """Name and tiling of every row; the first is the baseline that needs no tiles at all."""
    yield "full image", tiling.model_copy(update={"merge": NO_MERGE, "gate": None})
    yield "sliced", tiling.model_copy(update={"gate": None})
    yield "sliced + gate", tiling.model_copy(update={"gate": tiling.gate or Gate()})
    yield "no merge", tiling.model_copy(update={"merge": NO_MERGE, "gate": None})


def boxes_for(name: RowName, raw: RawDetections, tiling: Tiling) -> RawDetections:
    """The raw boxes that a row works on: of the whole picture, of tiles, or of both where tiling says so.

    A gate always sees the whole picture's boxes; they are hints, and part of the answer only where
    ``full_image`` says so.
    """
    if name == "full image":
        return raw.full()
    return raw if tiling.full_image or name == "sliced + gate" else raw.sliced()
