"""The gate: the reference's figures on the samples, and a verdict on every file that saw the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deploy.artifacts import Exported
from deploy.contracts.accuracy import AccuracyRow
from deploy.decode import DECODERS
from deploy.errors import DeployError
from deploy.metrics import METRICS
from export.evaluation.agreement import AgreementMetric
from export.evaluation.compact import unpack
from export.evaluation.compare import Comparison, Rules, unknown_row
from export.evaluation.data import DataSource
from export.evaluation.judging import figure_name
from export.evaluation.runner import Measured
from export.evaluation.subject import Subject


@dataclass(frozen=True)
class Gate:
    """How much may be lost, and of what: ``metric`` ``None`` is the task's first; ``budget`` is absolute."""

    metric: str | None = None
    budget: float = 0.01
    replicates: int = 1000
    with_slices: bool = True
    seed: int = 0


class Judge:
    """Judges files of one model.

    Args:
        base: what the reference said about every sample.

    Raises:
        DeployError: ``REFERENCE-FAILED`` when it said nothing, ``UNKNOWN-METRIC`` for a mistyped metric.
    """

    def __init__(self, gate: Gate, reference: Exported, data: DataSource, base: Measured) -> None:
        if base.failure is not None:
            raise DeployError(
                "REFERENCE-FAILED",
                f"The fp32 reference could not be run: {base.failure}.",
                "Check the versions with: deploy doctor",
            )
        self._base = base
        artifact = reference.artifact
        self._decoder = DECODERS.open(artifact.decode.kind)(artifact.decode, artifact.preprocess)
        labelled = bool(base.observations)
        metric: Any = AgreementMetric()
        if labelled:
            metric = METRICS.open(data.decode.kind).for_decode(data.decode)  # type: ignore[attr-defined]
        self._rules = Rules(metric, figure_name(metric, gate.metric), gate.budget, gate.replicates, gate.seed)
        observations = base.observations if labelled else [1.0] * len(base.predictions)
        self._comparison = Comparison(self._rules, observations, with_slices=gate.with_slices)

    @property
    def primary(self) -> str:
        """The metric that verdicts are made on."""
        return self._rules.primary

    def row(self, subject: Subject, found: Measured | None, why_not: str | None = None) -> AccuracyRow:
        """The file's line; UNKNOWN with the reason where it was not run."""
        reason = why_not or (found.failure if found is not None else None)
        if found is None or reason is not None:
            return unknown_row(subject, reason or "not run", self._rules.primary, self._rules.budget)
        agreements = [
            self._decoder.agreement(unpack(a), unpack(b))
            for a, b in zip(self._base.predictions, found.predictions, strict=True)
        ]
        return self._comparison.row(subject, found.observations or agreements, float(np.mean(agreements)))
