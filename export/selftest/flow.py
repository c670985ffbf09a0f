"""The gate's self-test on one screen: break every file on purpose, and demand that the gate notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from threading import Event
from typing import Any

from deploy import console
from deploy.contracts.accuracy import AccuracyRow
from deploy.errors import DeployError, ExitCode
from export.evaluation.data import DataSource, demand_disjoint
from export.evaluation.groups import Group, open_groups, reference_folder
from export.evaluation.judge import Judge
from export.evaluation.runner import Measured, measure
from export.evaluation.subject import Subject
from export.runners import runner_for
from export.selftest.corruptions import IN_FILE, WRONG_PICTURE
from export.selftest.trial import Broken, break_and_run
from export.verify import VerifyRequest

DEFAULT_SAMPLES = 32


@dataclass(frozen=True)
class Trial:
    """What the gate said about one broken file.

    ``outcome``: CAUGHT (it said FAIL), ASLEEP (it said anything else), NOT-APPLICABLE (the corruption changes
    nothing in this model), UNKNOWN (the file could not be run), UNPROVEN (the healthy file fails as well, so
    that a FAIL shows nothing). ``drop`` is the verdict's, ``None`` where there is none.
    """

    file: str
    corruption: str
    where: str | None
    outcome: str
    drop: float | None
    verdict: str | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def self_test(request: VerifyRequest) -> list[Trial]:
    """Every corruption of every file, judged by the gate that ``request`` describes.

    Raises:
        DeployError: whatever ``verify`` raises for these files and data.
    """
    with reference_folder(request.reference) as reference:
        groups = open_groups(request.artifacts, reference, request.given)
        return [trial for group in groups for trial in _test_model(request, group)]


def asleep(trials: list[Trial]) -> DeployError | None:
    """The error to end with when the gate let a broken file through."""
    missed = [trial for trial in trials if trial.outcome == "ASLEEP"]
    if not missed:
        return None
    listed = "; ".join(
        f"{each.file}: {each.corruption} at {each.where} is {each.verdict}"
        + (f", drop {each.drop:+.4f}" if each.drop is not None else "")
        for each in missed
    )
    return DeployError(
        "GATE-ASLEEP",
        f"The gate did not fail {len(missed)} of {len(trials)} broken files: {listed}.",
        "Use more or harder pictures (--data, --limit), or a smaller --budget, until every one fails.",
        ExitCode.FAIL,
    )


def exit_code(trials: list[Trial]) -> ExitCode:
    """FAIL when the gate slept, CANNOT-TELL when something was not tried, PASS when it caught the rest."""
    outcomes = {trial.outcome for trial in trials}
    if "ASLEEP" in outcomes:
        return ExitCode.FAIL
    return ExitCode.PASS if outcomes <= {"CAUGHT", "NOT-APPLICABLE"} else ExitCode.CANNOT_TELL


def _test_model(request: VerifyRequest, group: Group) -> list[Trial]:
    decode = group.subjects[0].exported.artifact.decode
    data = DataSource(request.data, decode, request.limit or DEFAULT_SAMPLES, request.seed)
    samples = data.open()
    demand_disjoint(samples, group.calibration)
    total = len(samples) * (1 + len(group.subjects) * (len(IN_FILE) + 2))
    stop = Event()
    with (
        console.progress(f"{group.reference.artifact.name}: breaking files", total) as bar,
        ThreadPoolExecutor(max_workers=max(1, request.threads)) as pool,
    ):
        try:
            base = pool.submit(measure, Subject(group.reference), data, 1, bar.advance, stop)
            futures = [
                pool.submit(break_and_run, each, data, 1, bar.advance, stop) if _runs(each) is None else None
                for each in group.subjects
            ]
            judge = Judge(request.gate, group.reference, data, base.result())
            results = [None if future is None else future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [
        trial
        for subject, result in zip(group.subjects, results, strict=True)
        for trial in _judge(judge, subject, result)
    ]


def _judge(judge: Judge, subject: Subject, result: tuple[Measured, list[Broken]] | None) -> list[Trial]:
    healthy = judge.row(subject, result[0] if result else None, _runs(subject))
    if result is None or healthy.status == "UNKNOWN":
        names = (*IN_FILE, WRONG_PICTURE)
        return [_not_run(healthy, Broken(name, "NOT-RUN", reason=healthy.reason)) for name in names]
    return [_trial(judge, subject, healthy, broken) for broken in result[1]]


def _trial(judge: Judge, subject: Subject, healthy: AccuracyRow, broken: Broken) -> Trial:
    if broken.status != "RUN" or broken.said is None:
        return _not_run(healthy, broken)
    row = judge.row(subject, broken.said)
    outcome = "CAUGHT" if row.verdict.outcome == "FAIL" else "ASLEEP"
    if outcome == "CAUGHT" and healthy.verdict.outcome == "FAIL":
        outcome = "UNPROVEN"
    return Trial(
        healthy.label,
        broken.corruption,
        broken.where,
        outcome,
        row.verdict.drop,
        row.verdict.outcome,
        row.verdict.reason if outcome != "UNPROVEN" else f"the healthy file fails too: {row.verdict.reason}",
    )


def _not_run(healthy: AccuracyRow, broken: Broken) -> Trial:
    outcome = "NOT-APPLICABLE" if broken.status == "NOT-APPLICABLE" else "UNKNOWN"
    return Trial(
        healthy.label, broken.corruption, broken.where, outcome, None, None, broken.reason or "not run"
    )


def _runs(subject: Subject) -> str | None:
    """Why the subject cannot be run here; ``None`` when it can."""
    artifact = subject.exported.artifact
    return runner_for(artifact.target, artifact.deployment)[0].why_not()
