"""Find leaks between a training and an evaluation set: by content, by looks, by camera and time."""

from __future__ import annotations

import bisect
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deploy.decode.predictions import ClassTruth, InstanceTruth, MaskPrediction
from deploy.errors import DeployError
from deploy.vision.images import list_images
from training.data.duplicates.gallery import Gallery, Told, gallery_of_files, gallery_of_set
from training.data.duplicates.likeness import Alike, resemble, same_picture
from training.data.duplicates.pairs import close_pairs
from training.data.folders import open_folder
from training.data.labelled_folders import open_labelled
from training.data.leaks.moments import Moment, moments_of
from training.data.leaks.report import Leak, LeakReport
from training.data.samples import EvaluationSet
from training.data.slicing.plan import GUARD_FRAMES, GUARD_SECONDS

_MOST_PROOFS = 32


def find_leaks(
    training: Path | EvaluationSet,
    evaluation: Path | EvaluationSet,
    *,
    seconds: float = GUARD_SECONDS,
    frames: float = GUARD_FRAMES,
    how: Alike | None = None,
    told: Told = lambda done, before: None,
) -> LeakReport:
    """Compare two sets, folders or already opened.

    Args:
        seconds, frames: pictures of one camera nearer than this show the same moment; ``frames`` where only
            numbers of frames are known.
        how: when two pictures count as one.
        told: called with (pictures looked at now, pictures known before).

    Raises:
        DeployError: ``DATA-MISSING``, and what reading raises.
    """
    if isinstance(training, Path) != isinstance(evaluation, Path):  # hashes of files and of pixels differ
        training, evaluation = _opened(training), _opened(evaluation)
    taught, asked = _gallery(training, told), _gallery(evaluation, told)
    asked_at = moments_of(asked.names, evaluation if isinstance(evaluation, Path) else None)
    taught_at = moments_of(taught.names, training if isinstance(training, Path) else None)
    found: dict[int, Leak] = {}
    for leak, index in (
        *_same_bytes(taught, asked),
        *_same_picture(taught, asked, how or Alike()),
        *_same_moment(taught, taught_at, asked, asked_at, seconds, frames),
    ):
        found.setdefault(index, leak)
    return LeakReport(
        len(taught),
        len(asked),
        tuple(found[index] for index in sorted(found)),
        _copies(taught),
        _negatives(evaluation),
        sum(moment.time is None for moment in asked_at),
    )


def _opened(source: Path | EvaluationSet) -> EvaluationSet:
    return open_folder(source, None) if isinstance(source, Path) else source


def _gallery(source: Path | EvaluationSet, told: Told) -> Gallery:
    if not isinstance(source, Path):
        return gallery_of_set(source, lambda: told(1, 0))
    if not source.is_dir():
        raise DeployError("DATA-MISSING", f"The data folder {source} does not exist.", "Check the path.")
    root = source / "images" if (source / "images").is_dir() else source
    with tempfile.TemporaryDirectory(prefix="leaks-") as work:  # data may lie where nothing can be written
        gallery = gallery_of_files(root, list_images(root), Path(work), told)
        thumbs = [gallery.thumb(index) for index in range(len(gallery))]
    return Gallery(gallery.names, gallery.digests, gallery.looks, lambda index: thumbs[index])


def _same_bytes(taught: Gallery, asked: Gallery) -> list[tuple[Leak, int]]:
    first = {digest: index for index, digest in reversed(list(enumerate(taught.digests)))}
    return [
        (Leak(asked.names[index], taught.names[first[digest]], "same bytes"), index)
        for index, digest in enumerate(asked.digests)
        if digest in first
    ]


def _same_picture(taught: Gallery, asked: Gallery, how: Alike) -> list[tuple[Leak, int]]:
    looks = np.concatenate([taught.looks, asked.looks])
    near: dict[int, list[int]] = defaultdict(list)
    for one, other in close_pairs(looks, how.distance).tolist():
        if one < len(taught) <= other:
            near[other - len(taught)].append(one)
    found = []
    for index, candidates in near.items():
        nearest = sorted(candidates, key=lambda i: int(taught.looks[i] ^ asked.looks[index]).bit_count())
        for candidate in nearest[:_MOST_PROOFS]:
            if same_picture(taught.thumb(candidate), asked.thumb(index), how):
                found.append((Leak(asked.names[index], taught.names[candidate], "same picture"), index))
                break
    return found


def _same_moment(
    taught: Gallery,
    taught_at: Sequence[Moment],
    asked: Gallery,
    asked_at: Sequence[Moment],
    seconds: float,
    frames: float,
) -> list[tuple[Leak, int]]:
    """Pictures of one camera that were taken close together.

    A number in a name may be a frame's or a place in an album. So pictures whose times are only such numbers
    must look alike too, as those before and after a moment do.
    """
    times: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    for index, moment in enumerate(taught_at):
        if moment.time is not None:
            times[moment.camera, moment.unit].append((moment.time, index))
    for each in times.values():
        each.sort()
    found = []
    for index, moment in enumerate(asked_at):
        if moment.time is None:
            continue
        timed = moment.unit == "seconds"
        reach = seconds if timed else frames
        there = times.get((moment.camera, moment.unit), [])
        start = bisect.bisect_left(there, (moment.time - reach, -1))
        stop = bisect.bisect_right(there, (moment.time + reach, len(taught)))
        near = [
            (abs(time - moment.time), other)
            for time, other in there[start:stop]
            if timed or resemble(taught.thumb(other), asked.thumb(index))
        ]
        if near:
            found.append((Leak(asked.names[index], taught.names[min(near)[1]], "same moment"), index))
    return found


def _copies(taught: Gallery) -> tuple[tuple[str, str], ...]:
    first: dict[str, str] = {}
    found = []
    for name, digest in zip(taught.names, taught.digests, strict=True):
        if digest in first:
            found.append((name, first[digest]))
        else:
            first[digest] = name
    return tuple(found)


def _negatives(evaluation: Path | EvaluationSet) -> int | None:
    """Evaluation pictures without an object; ``None`` where no boxes or masks are labelled."""
    if isinstance(evaluation, Path):
        try:
            return sum(not picture.objects for picture in open_labelled(evaluation).pictures)
        except DeployError as error:
            if error.error_id != "DATA-KIND":
                raise
            return None
    if not evaluation.labelled:
        return None
    truths = [evaluation.sample(index).truth for index in range(len(evaluation))]
    if any(isinstance(truth, ClassTruth) for truth in truths):
        return None
    boxes = sum(isinstance(truth, InstanceTruth) and not len(truth.boxes) for truth in truths)
    return boxes + sum(isinstance(truth, MaskPrediction) and not truth.mask.any() for truth in truths)
