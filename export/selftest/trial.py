"""One file broken in every way and run over the samples, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, Literal

from deploy.decode import DECODERS
from export.evaluation.compact import Compact, unpack
from export.evaluation.data import DataSource
from export.evaluation.process import Tell, in_process
from export.evaluation.runner import Measured
from export.evaluation.session import Session
from export.evaluation.subject import Subject
from export.selftest import CORRUPTORS
from export.selftest.corruptions import (
    IN_FILE,
    WRONG_PICTURE,
    Edit,
    NotApplicable,
    candidates,
    write_corrupted,
    wrong_preprocess,
)
from export.selftest.protocol import Layer

_PROBES = 2


@dataclass(frozen=True)
class Broken:
    """A corruption of one file: where it was made, and what the file said afterwards.

    ``reason`` says why it changes nothing (NOT-APPLICABLE) or could not be run (NOT-RUN).
    """

    corruption: str
    status: Literal["RUN", "NOT-APPLICABLE", "NOT-RUN"]
    where: str | None = None
    reason: str | None = None
    said: Measured | None = None


def break_and_run(
    subject: Subject, data: DataSource, threads: int, told: Any, stop: Event | None = None
) -> tuple[Measured, list[Broken]]:
    """Run ``subject`` as it is, and once per corruption, over ``data``.

    Args:
        told: called after every sample.
        stop: ends the process early when it is set.
    """
    healthy = Measured([], [])
    found: list[Broken] = []

    def heard(message: Any) -> None:
        if isinstance(message, Broken):
            found.append(message if message.status != "RUN" else replace(message, said=Measured([], [])))
            return
        observation, prediction = message
        into = found[-1].said if found else healthy
        assert into is not None
        into.predictions.append(prediction)
        if observation is not None:
            into.observations.append(observation)
        told()

    failure = in_process(_run, (subject, data, threads), heard, stop)
    if failure is None:
        return healthy, found
    if not found:
        healthy = Measured([], [], failure)
    else:
        last = found.pop()
        found.append(replace(last, status="NOT-RUN", reason=failure, said=None))
    done = {each.corruption for each in found}
    missed = [name for name in (*IN_FILE, WRONG_PICTURE) if name not in done]
    return healthy, found + [Broken(name, "NOT-RUN", reason=failure) for name in missed]


def _run(tell: Tell, subject: Subject, data: DataSource, threads: int) -> None:
    """The process: healthy first, then every corruption, each announced before its samples."""
    samples = data.open()

    def see_all(each: Subject) -> None:
        session = Session(each, threads, labelled=samples.labelled)
        for index in range(len(samples)):
            tell(session.see(samples.sample(index)))

    see_all(subject)
    artifact = subject.exported.artifact
    with tempfile.TemporaryDirectory(prefix="pocketproof-broken-") as folder:
        probe = _Probe(subject, data, threads, Path(folder))
        for name, edit in IN_FILE.items():
            try:
                where, broken = probe.worst(edit)
            except NotApplicable as answer:
                tell(Broken(name, "NOT-APPLICABLE", reason=str(answer)))
                continue
            tell(Broken(name, "RUN", where))
            see_all(broken)
    assert artifact.preprocess is not None  # Session has refused it otherwise
    block, what = wrong_preprocess(artifact.preprocess)
    tell(Broken(WRONG_PICTURE, "RUN", what))
    changed = artifact.model_copy(update={"preprocess": block})
    see_all(replace(subject, exported=replace(subject.exported, artifact=changed)))


class _Probe:
    """Finds, for a corruption, the layer where two samples suffer most: a gate may rightly miss a layer that
    hardly matters."""

    def __init__(self, subject: Subject, data: DataSource, threads: int, folder: Path) -> None:
        self._subject, self._threads, self._folder = subject, threads, folder
        artifact = subject.exported.artifact
        self._kind = CORRUPTORS.open(artifact.target)
        self._layers = candidates(self._kind(subject.exported.model).layers())
        samples = data.open()
        self._samples = [samples.sample(index) for index in range(min(_PROBES, len(samples)))]
        self._decoder = DECODERS.open(artifact.decode.kind)(artifact.decode, artifact.preprocess)
        self._healthy = self._predictions(subject)
        self._written = 0

    def worst(self, edit: Edit) -> tuple[str, Subject]:
        """Name of the layer, and the file broken there; the earliest of equals."""
        tried = list(self._broken(edit))
        if not tried:
            raise NotApplicable(self._why(edit))
        layer, subject, _ = min(tried, key=lambda each: each[2])
        return f"{layer.name} ({layer.op})", subject

    def _broken(self, edit: Edit) -> Iterator[tuple[Layer, Subject, float]]:
        for layer in self._layers:
            try:
                subject = self._write(edit, layer)
            except NotApplicable:
                continue
            pairs = zip(self._healthy, self._predictions(subject), strict=True)
            agreement = sum(self._decoder.agreement(unpack(a), unpack(b)) for a, b in pairs)
            yield layer, subject, agreement

    def _why(self, edit: Edit) -> str:
        """The first layer's reason stands for all of them."""
        if not self._layers:
            return "no weights that can be edited were found in the file"
        try:
            self._write(edit, self._layers[0])
        except NotApplicable as answer:
            return f"{answer}, and so for the others tried"
        return "it changes nothing"

    def _write(self, edit: Edit, layer: Layer) -> Subject:
        exported = self._subject.exported
        self._written += 1
        path = self._folder / f"{self._written}{exported.model.suffix}"
        write_corrupted(self._kind, exported.model, edit, layer, path)
        artifact = exported.artifact.model_copy(update={"model_file": path.name})
        return replace(self._subject, exported=replace(exported, folder=self._folder, artifact=artifact))

    def _predictions(self, subject: Subject) -> list[Compact]:
        session = Session(subject, self._threads, labelled=False)
        return [session.see(sample)[1] for sample in self._samples]
