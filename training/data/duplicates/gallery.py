"""Fingerprints of many pictures: names and hashes in memory, the small pictures where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import DeployError
from deploy.jobs.folder import read_rows, run_job
from deploy.jobs.protocol import Item, Work
from deploy.store import canonical_json
from deploy.threads import usable_cores
from deploy.vision.images import pixel_digest
from training.data.duplicates.fingerprint import Fingerprint, of_file, of_pixels
from training.data.samples import EvaluationSet

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Gallery:
    """``names``: ids of N pictures; ``digests``: hex SHA-256 of each; ``looks``: uint64 (N,); ``thumb`` gives
    the eighth of picture i, uint8 (h, w) grey."""

    names: tuple[str, ...]
    digests: tuple[str, ...]
    looks: NDArray[np.uint64]
    thumb: Callable[[int], NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.names)


def gallery_of_files(
    root: Path,
    pictures: Sequence[Path],
    work: Path,
    told: Told,
    *,
    engine: str = "local",
    workers: int | None = None,
) -> Gallery:
    """Fingerprints of files, on every core, going on where an earlier call was stopped.

    Args:
        root: names are paths relative to it, without suffix.
        pictures: files below ``root``.
        work: folder of this job; the small pictures are kept there (a seventieth of the pixels).
        told: called with (pictures done now, pictures done before).

    Raises:
        DeployError: what reading the first broken picture raises.
    """
    thumbs = work / "thumbs"
    thumbs.mkdir(parents=True, exist_ok=True)
    job = Work("training.data.duplicates.gallery:make_scanner", {"thumbs": str(thumbs.resolve())})
    items = []
    for path in pictures:
        state = path.stat()
        key = canonical_json([path.relative_to(root).as_posix(), state.st_size, state.st_mtime_ns])
        items.append(Item(key, path.resolve()))
    cores = workers or usable_cores()
    rows = list(read_rows(run_job(job, items, work, told, engine=engine, workers=cores, shard_size=64)))
    for row in rows:
        if "error" in row:
            raise DeployError.from_dict(row["error"])
    digests = tuple(row["result"][0] for row in rows)
    return Gallery(
        tuple(path.relative_to(root).with_suffix("").as_posix() for path in pictures),
        digests,
        np.array([int(row["result"][1], 16) for row in rows], np.uint64),
        lambda index: _read_thumb(thumbs, digests[index]),
    )


def make_scanner(settings: dict[str, Any]) -> Callable[[Path], list[str]]:
    """The function of a scanning job; ``settings``: ``thumbs``, the folder of small pictures."""
    thumbs = Path(settings["thumbs"])

    def scan(path: Path) -> list[str]:
        found = of_file(path)
        height, width = found.thumb.shape
        header = np.array((height, width), "<u4").tobytes()
        # No name of its own while it is written: the shard is written again if this process dies here.
        (thumbs / found.sha256).write_bytes(header + found.thumb.tobytes())
        return [found.sha256, f"{found.looks:016x}"]

    return scan


def gallery_of_set(found: EvaluationSet, told: Callable[[], object] = lambda: None) -> Gallery:
    """Fingerprints of a set's pictures, whatever they come from; hashes are of pixels."""
    prints: list[Fingerprint] = []
    for index in range(len(found)):
        image = found.sample(index).image
        prints.append(of_pixels(image, pixel_digest(image)))
        told()
    return Gallery(
        found.ids,
        tuple(each.sha256 for each in prints),
        np.array([each.looks for each in prints], np.uint64),
        lambda index: prints[index].thumb,
    )


def _read_thumb(thumbs: Path, digest: str) -> NDArray[np.uint8]:
    payload = (thumbs / digest).read_bytes()
    height, width = np.frombuffer(payload[:8], "<u4").tolist()
    return np.frombuffer(payload[8:], np.uint8).reshape(height, width)
