"""Reference and artifact on the same samples: figures, paired intervals, slices and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.accuracy import AccuracyRow, DropInterval, Slice
from deploy.contracts.verdict import Verdict
from deploy.statistics.bootstrap import interval, sample_weights
from deploy.statistics.verdict import judge_drop
from export.evaluation.subject import Subject

_SLICE_REPLICATES = 400


@dataclass(frozen=True)
class Rules:
    """How drops are judged. ``metric`` fits ``deploy.metrics.protocol.Metric``."""

    metric: Any
    primary: str
    budget: float
    replicates: int
    seed: int


class Comparison:
    """The reference's figures, computed once, against which every artifact is paired.

    Args:
        rules: metric, budget and bootstrap settings.
        reference: the reference's observations, one per sample.
        with_slices: also compare parts of the samples (size, class).
    """

    def __init__(self, rules: Rules, reference: Sequence[Any], *, with_slices: bool) -> None:
        self._rules = rules
        self._samples = len(reference)
        self._weights = _weights(self._samples, rules.replicates, rules.seed)
        self._reference = rules.metric.summarise(reference, self._weights)
        self._slices = rules.metric.slices(reference) if with_slices else {}
        rows = self._weights[: _SLICE_REPLICATES + 1]
        self._sliced = {
            (axis, name): rules.metric.summarise(part, rows)[rules.primary]
            for axis, parts in self._slices.items()
            for name, part in parts.items()
        }

    def row(self, subject: Subject, observations: Sequence[Any], agreement: float) -> AccuracyRow:
        """The file's line of the report."""
        figures = self._rules.metric.summarise(observations, self._weights)
        primary = self._rules.primary
        drops = self._reference[primary] - figures[primary]
        return AccuracyRow(
            **_identity(subject),
            taints=subject.taints,
            status="MEASURED",
            figures=tuple(
                found
                for name in figures
                if (found := _drop(name, self._reference[name], figures[name], self._samples)) is not None
            ),
            agreement=agreement,
            slices=self._slice_rows(observations),
            verdict=judge_drop(primary, float(drops[0]), drops[1:], self._rules.budget, self._samples),
        )

    def _slice_rows(self, observations: Sequence[Any]) -> tuple[Slice, ...]:
        if not self._slices:
            return ()
        rows = self._weights[: _SLICE_REPLICATES + 1]
        primary = self._rules.primary
        parts = self._rules.metric.slices(observations)
        found = []
        for (axis, name), reference in self._sliced.items():
            values = self._rules.metric.summarise(parts[axis][name], rows)[primary]
            figures = _drop(primary, reference, values, self._samples)
            if figures is not None:
                found.append(Slice(axis=axis, name=name, figures=figures))
        return tuple(found)


def unknown_row(subject: Subject, reason: str, primary: str, budget: float) -> AccuracyRow:
    """The line of a file that could not be run here."""
    verdict = Verdict(outcome="UNKNOWN", reason=reason, metric=primary, budget=budget)
    return AccuracyRow(
        **_identity(subject), taints=subject.taints, status="UNKNOWN", reason=reason, verdict=verdict
    )


def _identity(subject: Subject) -> dict[str, Any]:
    artifact = subject.exported.artifact
    return {
        "name": artifact.name,
        "target": artifact.target,
        "precision": artifact.precision,
        "model_sha256": artifact.model_sha256,
        "model_bytes": artifact.model_bytes,
    }


def _weights(samples: int, replicates: int, seed: int) -> NDArray[np.int64]:
    """Row 0 is the samples as they are; the others are bootstrap draws."""
    as_they_are = np.ones((1, samples), np.int64)
    return np.concatenate([as_they_are, sample_weights(samples, replicates, seed)])


def _drop(
    name: str, reference: NDArray[np.float64], values: NDArray[np.float64], samples: int
) -> DropInterval | None:
    """Figures of one metric; ``None`` where there was nothing to measure."""
    drops = reference - values
    found = interval(drops[1:])
    if np.isnan(drops[0]) or np.isnan(found.low):
        return None
    return DropInterval(
        metric=name,
        reference=float(reference[0]),
        value=float(values[0]),
        drop=float(drops[0]),
        low=found.low,
        high=found.high,
        samples=samples,
    )
