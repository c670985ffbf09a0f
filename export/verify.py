"""The verification flow on one screen: same samples through the reference and every export, then judge."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from deploy import console
from deploy.artifacts import Exported, check_bytes, find_reference, open_artifact
from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
from deploy.decode import DECODERS
from deploy.errors import DeployError
from deploy.metrics import METRICS
from deploy.runtimes import RUNTIMES
from deploy.toolchain import versions
from export.evaluation.agreement import AgreementMetric
from export.evaluation.compact import unpack
from export.evaluation.compare import Comparison, Rules, unknown_row
from export.evaluation.data import DataSource, demand_disjoint
from export.evaluation.runner import Measured, measure


@dataclass(frozen=True)
class VerifyRequest:
    """One ``deploy verify`` call. ``metric`` ``None`` is the task's primary one; ``budget`` is absolute."""

    artifacts: tuple[Path, ...]
    data: Path | None
    reference: Path | None
    metric: str | None
    budget: float
    limit: int | None
    replicates: int
    with_slices: bool
    seed: int
    threads: int


def verify(request: VerifyRequest) -> list[AccuracyReport]:
    """One report per model among the artifacts (they are told apart by their reference's hash).

    Raises:
        DeployError: a folder that is no artifact, a changed file, a missing reference, bad data, or
            calibration pictures among the evaluation pictures.
    """
    opened = [open_artifact(folder) for folder in request.artifacts]
    exports = [each for each in opened if each.artifact.role == "export"]
    if not exports:
        raise DeployError(
            "NOTHING-TO-VERIFY",
            "Only fp32 references were named; they are what exports are compared with.",
            "Name exports too, for example: deploy verify artifacts/*",
        )
    for each in exports:
        check_bytes(each)
    models: dict[str, list[Exported]] = {}
    for each in exports:
        models.setdefault(each.artifact.reference_sha256, []).append(each)
    return [_verify_model(request, group) for group in models.values()]


def _verify_model(request: VerifyRequest, group: Sequence[Exported]) -> AccuracyReport:
    first = group[0].artifact
    reference = find_reference(group[0], request.reference)
    if reference is None:
        raise DeployError(
            "REFERENCE-MISSING",
            f"The fp32 reference of {group[0].folder} is not beside it.",
            f"Export it again: deploy export {first.source.spec}, or name it with --reference.",
        )
    check_bytes(reference)
    data = DataSource(request.data, first.decode, request.limit, request.seed)
    samples = data.open()
    demand_disjoint(samples, frozenset(h for each in group for h in each.artifact.calibration_samples))
    runnable = {each.folder: RUNTIMES.open(each.artifact.target).why_not() for each in group}
    folders = [reference.folder, *(folder for folder, why in runnable.items() if why is None)]
    with console.progress(f"{first.name}: {len(samples)} samples", len(samples) * len(folders)) as bar:
        # One single-threaded process per artifact, two at a time, keeps both cores busy without contention.
        stop = Event()
        with ThreadPoolExecutor(max_workers=max(1, request.threads)) as pool:
            try:
                futures = {f: pool.submit(measure, f, data, 1, bar.advance, stop) for f in folders}
                measured = {folder: future.result() for folder, future in futures.items()}
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        bar.label("bootstrap")
        return _report(request, group, reference, data, measured, runnable)


def _report(
    request: VerifyRequest,
    group: Sequence[Exported],
    reference: Exported,
    data: DataSource,
    measured: dict[Path, Measured],
    runnable: dict[Path, str | None],
) -> AccuracyReport:
    base = measured[reference.folder]
    if base.failure is not None:
        raise DeployError(
            "REFERENCE-FAILED",
            f"The fp32 reference could not be run: {base.failure}.",
            "Check the versions with: deploy doctor",
        )
    samples = data.open()
    metric: Any = AgreementMetric()
    if samples.labelled:
        metric = METRICS.open(data.decode.kind).for_decode(data.decode)  # type: ignore[attr-defined]
    rules = Rules(metric, _primary(metric, request.metric), request.budget, request.replicates, request.seed)
    observations = base.observations if samples.labelled else [1.0] * len(base.predictions)
    comparison = Comparison(rules, observations, with_slices=request.with_slices)
    rows = [
        _row(each, measured.get(each.folder), runnable[each.folder], base, comparison, rules)
        for each in group
    ]
    return AccuracyReport(
        task=reference.artifact.task,
        reference=reference.artifact.name,
        reference_sha256=reference.artifact.model_sha256,
        data=data.describe(samples),
        primary_metric=rules.primary,
        rows=tuple(rows),
        replicates=request.replicates,
        seed=request.seed,
        threads=1,
        toolchain=versions(),
    )


def _row(
    export: Exported,
    found: Measured | None,
    why_not: str | None,
    base: Measured,
    comparison: Comparison,
    rules: Rules,
) -> AccuracyRow:
    reason = why_not or (found.failure if found is not None else None)
    if found is None or reason is not None:
        return unknown_row(export.artifact, reason or "not run", rules.primary, rules.budget)
    artifact = export.artifact
    decoder = DECODERS.open(artifact.decode.kind)(artifact.decode, artifact.preprocess)
    agreements = [
        decoder.agreement(unpack(a), unpack(b))
        for a, b in zip(base.predictions, found.predictions, strict=True)
    ]
    observations = found.observations or agreements
    return comparison.row(artifact, observations, float(np.mean(agreements)))


def _primary(metric: Any, asked: str | None) -> str:
    if asked is None:
        return str(metric.primary)
    if asked not in metric.names:
        raise DeployError(
            "UNKNOWN-METRIC",
            f"There is no metric called {asked!r} for this task.",
            f"Choose one of: {', '.join(metric.names)}.",
        )
    return asked
