"""``deploy verify --bisect`` on one screen: one file and its reference on a few samples, value by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import console
from deploy.artifacts import Exported
from deploy.errors import DeployError
from deploy.vision.preprocess import prepare
from export.bisect import OBSERVERS
from export.bisect.match import by_content, by_name
from export.bisect.reference import ReferenceProgram
from export.bisect.walk import Bisection, conclude, order_rows
from export.evaluation.data import DataSource
from export.evaluation.groups import open_groups, reference_folder
from export.evaluation.process import Tell, in_process
from export.evaluation.subject import Subject
from export.foreign.adopt import FOREIGN
from export.parity import sqnr_db
from export.verify import VerifyRequest

DEFAULT_SAMPLES = 2

Feed = dict[str, NDArray[Any]]


def bisect(request: VerifyRequest) -> Bisection:
    """Walk the one file that was named.

    Without ``--data`` its own golden samples are used.

    Raises:
        DeployError: ``ONE-ARTIFACT`` for none or several files, ``CANNOT-LOOK-INSIDE`` where its values
            cannot be seen here, and whatever ``verify`` raises for the file and its reference.
    """
    with reference_folder(request.reference) as reference:
        groups = open_groups(request.artifacts, reference, request.given)
        subjects = [(subject, group.reference) for group in groups for subject in group.subjects]
        if len(subjects) != 1:
            raise DeployError(
                "ONE-ARTIFACT",
                f"{len(subjects)} files were named; one is walked at a time.",
                f"Name one: deploy verify {subjects[0][0].exported.folder} --bisect",
            )
        subject, judge = subjects[0]
        return _walk(subject, judge, _feeds(request, subject, judge), request.threads)


def _walk(subject: Subject, judge: Exported, feeds: list[tuple[Feed, Feed]], threads: int) -> Bisection:
    artifact = subject.exported.artifact
    why_not = OBSERVERS.open(artifact.target).why_not()
    answer: list[Any] = []
    if why_not is None:
        with console.progress(f"{artifact.name}: op by op", len(feeds)) as bar:

            def heard(message: Any) -> None:
                if message is None:
                    bar.advance()
                else:
                    answer.append(message)

            why_not = in_process(_observe, (subject, judge, feeds, threads), heard)
    if why_not is not None:
        raise DeployError(
            "CANNOT-LOOK-INSIDE",
            f"The values inside {subject.exported.model.name} cannot be seen: {why_not}.",
            "Bisect another target's file of the same model and precision, or check: deploy doctor",
        )
    found, nodes, notes = answer[0]
    label = " ".join((*subject.taints, artifact.name, artifact.target, artifact.precision))
    return conclude(label, artifact.precision, len(feeds), found, nodes, notes)


def _observe(
    tell: Tell, subject: Subject, judge: Exported, feeds: list[tuple[Feed, Feed]], threads: int
) -> None:
    """The process: values of file and reference side by side, one sample at a time."""
    artifact = subject.exported.artifact
    kind = OBSERVERS.open(artifact.target)
    observer = kind(subject.exported.model, tuple(spec.name for spec in artifact.inputs), threads)
    names = [spec.name for spec in judge.artifact.outputs]
    reference = ReferenceProgram(judge.model, [spec.name for spec in judge.artifact.inputs], names, threads)
    doors = {theirs: reference.doors[ours] for theirs, ours in _outputs(subject).items()}
    found: dict[str, tuple[str, str, float]] = {}
    unmatched = 0
    for file_feed, reference_feed in feeds:
        seen = observer.observe(subject.doors.inward(file_feed))
        values = reference.values(reference_feed)
        named = kind.NAMED and FOREIGN not in subject.taints
        pairs = by_name(seen, values, doors) if named else by_content(seen, values)
        unmatched = len(seen) - len(pairs)
        for place, node in sorted(pairs.items()):
            value = seen[place]
            decibels = sqnr_db(values[node], value.value)
            before = found.get(value.name)
            if before is None or decibels < before[2]:
                found[value.name] = (value.op, node, decibels)
        tell(None)
    rows = order_rows([(name, *rest) for name, rest in found.items()], reference.nodes)
    notes = [note for note in (kind.LIMITS,) if note]
    if unmatched:
        notes.append(f"{unmatched} values of the file have no twin in the captured program and are left out.")
    tell((rows, reference.nodes, tuple(notes)))


def _outputs(subject: Subject) -> dict[str, str]:
    """The file's output names to the reference's."""
    own = {spec.name: spec.name for spec in subject.exported.artifact.outputs}
    return dict(subject.doors.outputs) or own


def _feeds(request: VerifyRequest, subject: Subject, judge: Exported) -> list[tuple[Feed, Feed]]:
    """Inputs of the file and of the reference, for the same pictures."""
    artifact = subject.exported.artifact
    if request.data is None and artifact.golden.samples:
        pairs = zip(artifact.golden.samples, judge.artifact.golden.samples, strict=False)
        return [
            (_golden(subject.exported.folder, own), _golden(judge.folder, other)) for own, other in pairs
        ][: request.limit or DEFAULT_SAMPLES]
    mine, theirs = artifact.preprocess, judge.artifact.preprocess
    if mine is None or theirs is None:
        raise DeployError(
            "NO-PICTURE-INPUT",
            f"{artifact.name} does not say how a picture becomes its input.",
            "Leave --data out: its own golden samples are used then.",
        )
    data = DataSource(request.data, artifact.decode, request.limit or DEFAULT_SAMPLES, request.seed)
    samples = data.open()
    pictures = [samples.sample(index).image for index in range(len(samples))]
    return [
        ({mine.input_name: prepare(each, mine)[0]}, {theirs.input_name: prepare(each, theirs)[0]})
        for each in pictures
    ]


def _golden(folder: Path, sample: Any) -> Feed:
    return {each.name: np.load(folder / each.file, allow_pickle=False) for each in sample.inputs}
