"""One picture cut into tile files, with their labels: the work of a slicing job."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError
from deploy.store import sha256_file
from deploy.tiled.windows import windows
from deploy.vision.images import read_rgb
from training.data.interchange.yolo_folder import write_labels
from training.data.labelled import LabelledObject, LabelledPicture
from training.data.slicing.cut import MIN_VISIBLE, visible
from training.data.slicing.outline import clip_outline

QUALITY = 95


@dataclass(frozen=True)
class Cutting:
    """How pictures are cut.

    ``min_visible``: share of an object's box that a tile must show for it to count; ``keep_empty``: share
    of the training tiles without any object that is kept (held-out ones are all kept: that is where false
    alarms are counted); ``suffix``: ``.jpg``, of this ``quality``, or ``.png``.
    """

    tiling: Tiling
    min_visible: float = MIN_VISIBLE
    keep_empty: float = 0.1
    suffix: str = ".jpg"
    quality: int = QUALITY
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {**asdict(self), "tiling": self.tiling.to_json()}

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Cutting:
        """The way back from ``settings``."""
        return cls(**{**settings, "tiling": Tiling.model_validate(settings["tiling"])})


@dataclass(frozen=True)
class Source:
    """A picture to cut. ``side``: ``train`` or ``valid``; sizes and objects as in ``LabelledPicture``."""

    name: str
    path: Path
    side: str
    size: tuple[int, int]
    objects: tuple[LabelledObject, ...] = field(default_factory=tuple)


def make_slicer(settings: dict[str, Any]) -> Callable[[Source], dict[str, Any]]:
    """The function of a slicing job; ``settings``: ``out``, and what ``Cutting.settings`` gives."""
    out, cutting = Path(settings["out"]), Cutting.of(settings["cutting"])
    return lambda source: slice_picture(source, out, cutting)


def slice_picture(source: Source, out: Path, how: Cutting) -> dict[str, Any]:
    """Write the tiles of one picture below ``out/SIDE``, and say where each came from.

    Tiles lie in a folder named after the picture, so that whoever splits them again keeps them together.

    Raises:
        DeployError: ``IMAGE-UNREADABLE``, ``PICTURE-SIZE-DIFFERS`` or ``IMAGE-UNWRITABLE``.
    """
    image: NDArray[np.uint8] = cv2.cvtColor(read_rgb(source.path), cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
    if image.shape[:2] != source.size:
        raise DeployError(
            "PICTURE-SIZE-DIFFERS",
            f"{source.path} is {image.shape[1]}x{image.shape[0]} pixels; its labels are for "
            f"{source.size[1]}x{source.size[0]}.",
            "Put the picture back that was labelled, or label this one.",
        )
    places = windows(source.size, how.tiling)
    boxes = np.array([each.box for each in source.objects], np.float64).reshape(-1, 4)
    shown, share = visible(boxes, places)
    tiles, dropped = [], 0
    for row, place in enumerate(places.tolist()):
        inside = np.flatnonzero(share[row] > 0).tolist()
        if not inside and source.side == "train" and not _kept(source.name, place, how):
            dropped += 1
            continue
        labels = [
            _cut(source.objects[index], shown[row, index], share[row, index] < how.min_visible, place)
            for index in inside
        ]
        tile = f"{source.name}/{'_'.join(map(str, place))}"
        file = out / source.side / "images" / f"{tile}{how.suffix}"
        size = (place[3] - place[1], place[2] - place[0])
        write_labels(out / source.side, LabelledPicture(tile, file, size, tuple(labels)))
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_image(file, image[place[1] : place[3], place[0] : place[2]], how.quality)
        ignored = sum(label.ignore for label in labels)
        record = {"tile": file.relative_to(out).as_posix(), "window": place}
        tiles.append({**record, "objects": len(labels) - ignored, "ignored": ignored})
    return {
        "source": str(source.path),
        "source_sha256": sha256_file(source.path),
        "tiles": tiles,
        "dropped": dropped,
    }


def _cut(
    found: LabelledObject, shown: NDArray[np.float64], too_little: bool, place: Sequence[int]
) -> LabelledObject:
    """An object as a tile shows it, in tile pixels."""
    left, top, right, bottom = place
    clipped = [clip_outline(part, (left, top, right, bottom)) for part in found.parts]
    parts = tuple(part - (left, top) for part in clipped if part is not None)
    x1, y1, x2, y2 = (shown - (left, top, left, top)).tolist()
    return LabelledObject(found.klass, (x1, y1, x2, y2), parts, found.ignore or bool(too_little))


def _kept(name: str, place: Sequence[int], how: Cutting) -> bool:
    """Whether an empty tile is kept: by a hash of what it is, so that no other tile plays a part."""
    digest = hashlib.sha256(f"{how.seed}\0{name}\0{list(place)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < how.keep_empty * 2**64


def _write_image(path: Path, pixels: NDArray[np.uint8], quality: int) -> None:
    """Encode BGR pixels; the file takes its name when it is whole (a job that is killed writes it again)."""
    ok, encoded = cv2.imencode(path.suffix, pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise DeployError("IMAGE-UNWRITABLE", f"{path} could not be encoded.", "Choose .jpg or .png.")
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(encoded.tobytes())
    os.replace(temporary, path)
