"""The verification flow on one screen: same samples through the reference and every file, then judge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from deploy import console
from deploy.contracts.accuracy import AccuracyReport
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.toolchain import versions
from export.blocks import read_block
from export.evaluation.data import DataSource, demand_disjoint
from export.evaluation.groups import Group, open_groups, reference_folder
from export.evaluation.judge import Gate, Judge
from export.evaluation.runner import Measured, measure
from export.evaluation.subject import Subject
from export.foreign.adopt import Given
from export.runners import runner_for


@dataclass(frozen=True)
class VerifyRequest:
    """One ``deploy verify`` call. ``metric`` ``None`` is the task's primary one; ``budget`` is absolute.

    ``reference`` is an artifact folder or anything ``deploy export`` takes as a model; ``preprocess`` and
    ``decode`` are files that describe the doors of foreign models.
    """

    artifacts: tuple[Path, ...]
    data: Path | None
    reference: str | Path | None
    metric: str | None
    budget: float
    limit: int | None
    replicates: int
    with_slices: bool
    seed: int
    threads: int
    preprocess: Path | None = None
    decode: Path | None = None

    @property
    def gate(self) -> Gate:
        """How the drop is judged."""
        return Gate(self.metric, self.budget, self.replicates, self.with_slices, self.seed)

    @property
    def given(self) -> Given:
        """The blocks in the files that were named."""
        return Given(
            read_block(self.preprocess, "preprocess", Preprocess) if self.preprocess else None,
            read_block(self.decode, "decode", Decode) if self.decode else None,
        )


def verify(request: VerifyRequest) -> list[AccuracyReport]:
    """One report per model among the files (they are told apart by their reference's hash).

    Raises:
        DeployError: a folder that is no artifact, a changed file, a missing reference, doors that do not
            fit, bad data, or calibration pictures among the evaluation pictures.
    """
    with reference_folder(request.reference) as reference:
        groups = open_groups(request.artifacts, reference, request.given)
        return [_verify_model(request, group) for group in groups]


def _verify_model(request: VerifyRequest, group: Group) -> AccuracyReport:
    artifact = group.reference.artifact
    decode = group.subjects[0].exported.artifact.decode
    data = DataSource(request.data, decode, request.limit, request.seed)
    samples = data.open()
    demand_disjoint(samples, group.calibration)
    reasons = [_why_not(subject) for subject in group.subjects]
    runnable = [subject for subject, why in zip(group.subjects, reasons, strict=True) if why is None]
    total = len(samples) * (1 + len(runnable))
    with console.progress(f"{artifact.name}: {len(samples)} samples", total) as bar:
        base, *found = _measure_all([Subject(group.reference), *runnable], data, request.threads, bar)
        bar.label("bootstrap")
        judge = Judge(request.gate, group.reference, data, base)
        measured = iter(found)
        rows = [
            judge.row(subject, next(measured) if why is None else None, why)
            for subject, why in zip(group.subjects, reasons, strict=True)
        ]
    return AccuracyReport(
        task=artifact.task,
        reference=artifact.name,
        reference_sha256=artifact.model_sha256,
        data=data.describe(samples),
        primary_metric=judge.primary,
        rows=tuple(rows),
        replicates=request.replicates,
        seed=request.seed,
        threads=1,
        toolchain=versions(),
    )


def _measure_all(
    subjects: list[Subject], data: DataSource, threads: int, bar: console.Progress
) -> list[Measured]:
    """One single-threaded process per file, ``threads`` at a time: all cores busy, without contention."""
    stop = Event()
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        try:
            futures = [pool.submit(measure, each, data, 1, bar.advance, stop) for each in subjects]
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _why_not(subject: Subject) -> str | None:
    artifact = subject.exported.artifact
    return runner_for(artifact.target, artifact.deployment)[0].why_not()
