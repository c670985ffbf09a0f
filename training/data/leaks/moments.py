"""Which camera took a picture, and when: from a list beside the pictures, else from their names."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from deploy.errors import DeployError

MOMENTS = "moments.csv"
MANIFESTS = (MOMENTS, "slices.jsonl")
"""``moments.csv`` is the user's (file, camera, time); ``deploy data slice`` writes ``slices.jsonl``."""

_STAMP = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?([0-3]\d)[-_.T ]?"
    r"([01]\d|2[0-3])[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(?:[.](\d{1,6}))?(?!\d)"
)
_FRAME = re.compile(r"(.*?)[_.\- ]?(\d+)$")


@dataclass(frozen=True)
class Moment:
    """``camera``: any name; ``time``: seconds since 1970 or a frame's number, as ``unit`` says."""

    camera: str
    time: float | None = None
    unit: str = "frames"


def moments_of(names: Sequence[str], root: Path | None = None) -> tuple[Moment, ...]:
    """A moment for every picture.

    Args:
        names: relative paths without suffix.
        root: where ``moments.csv`` or ``slices.jsonl`` may lie (here or one folder up); pictures that it does
            not list are told by their names.

    Raises:
        DeployError: ``MOMENTS-BROKEN``.
    """
    listed = {} if root is None else _listed(root)
    return tuple(listed.get(name) or moment_of(name) for name in names)


def moment_of(name: str) -> Moment:
    """Camera and time from a name such as ``gate2_20240131_120501``, ``gate2/000123`` or ``gate2-0007``.

    Roboflow's suffix (``_jpg.rf.hash``) is no part of a name. A name without a number has a camera of its
    own.
    """
    path = PurePosixPath(name)
    stem = re.sub(r"_(?:jpe?g|png|bmp|webp)$", "", path.name.split(".rf.")[0])
    above = "" if path.parent == PurePosixPath(".") else path.parent.as_posix()
    stamp = _STAMP.search(stem)
    time = _seconds(stamp) if stamp else None
    if stamp is not None and time is not None:
        camera = _joined(above, stem[: stamp.start()] + re.sub(r"^[_\-. ]*\d+$", "", stem[stamp.end() :]))
        return Moment(camera, time, "seconds")
    frame = _FRAME.match(stem)
    if frame is None or (not frame.group(1) and not above):
        return Moment(_joined(above, stem))
    return Moment(_joined(above, frame.group(1)), float(frame.group(2)), "frames")


def blocks(moments: Sequence[Moment], seconds: float, frames: int) -> tuple[str, ...]:
    """A group for every picture: its camera and its block of time; no split should cut one."""
    names = []
    for moment in moments:
        if moment.time is None:
            names.append(moment.camera)
        else:
            length = seconds if moment.unit == "seconds" else frames
            names.append(f"{moment.camera}@{moment.unit}{int(moment.time // length)}")
    return tuple(names)


def _joined(above: str, rest: str) -> str:
    return "/".join(part for part in (above, rest.strip("_-. ")) if part) or "camera"


def _seconds(stamp: re.Match[str]) -> float | None:
    year, month, day, hour, minute, second = (int(stamp.group(index)) for index in range(1, 7))
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:  # 31 February: some other number that looks like a date
        return None
    return whole + float(f"0.{stamp.group(7) or 0}")


def _listed(root: Path) -> dict[str, Moment]:
    for folder in (root, root.parent):
        for name, read in zip(MANIFESTS, (_from_csv, _from_slices), strict=True):
            if (folder / name).is_file():
                prefix = "" if folder == root else f"{root.name}/"
                found = read(folder / name)
                own = {key.removeprefix(prefix): moment for key, moment in found.items()}
                return {key.removeprefix("images/"): moment for key, moment in own.items()}
    return {}


def _from_csv(path: Path) -> dict[str, Moment]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return {
                PurePosixPath(row["file"]).with_suffix("").as_posix(): _of_row(row["camera"], row["time"])
                for row in csv.DictReader(lines)
            }
    except (KeyError, ValueError, OSError, TypeError, AttributeError, csv.Error) as error:
        raise DeployError(
            "MOMENTS-BROKEN",
            f"{path} is no list of moments ({error}).",
            "Give it the header file,camera,time; a time is ISO 8601, seconds since 1970, or empty.",
        ) from error


def _of_row(camera: str, time: str) -> Moment:
    if not time.strip():
        return Moment(camera)
    try:
        return Moment(camera, float(time), "seconds")
    except ValueError:
        moment = datetime.fromisoformat(time)
        return Moment(
            camera, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), "seconds"
        )


def _from_slices(path: Path) -> dict[str, Moment]:
    found = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                key = PurePosixPath(row["tile"]).with_suffix("").as_posix()
                found[key] = Moment(row["camera"], row["time"], row["time_unit"])
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise DeployError(
            "MOMENTS-BROKEN", f"{path} is no list of slices ({error}).", "Slice the data set again."
        ) from error
    return found
