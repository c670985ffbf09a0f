"""What verify writes: the accuracy drop of every artifact against the fp32 reference, on the same samples."""

from __future__ import annotations

from typing import ClassVar, Literal

from deploy.contracts.base import Contract, Document
from deploy.contracts.verdict import Verdict


class DropInterval(Contract):
    """A metric of reference and artifact on the same samples, and the drop's paired bootstrap interval."""

    metric: str
    reference: float
    value: float
    drop: float
    low: float
    high: float
    samples: int


class Slice(Contract):
    """The same figures on a part of the samples (``axis`` such as size or class)."""

    axis: str
    name: str
    figures: DropInterval


class AccuracyRow(Contract):
    """One artifact's line: measured figures, or UNKNOWN with the reason it could not be run here.

    ``taints`` stand in front of the row's name wherever it is printed: ``EMULATED-COREML`` for a Core ML
    program that was not run by Apple's framework, ``FOREIGN`` for a file that this project did not export.
    """

    name: str
    target: str
    precision: str
    model_sha256: str
    model_bytes: int
    taints: tuple[str, ...] = ()
    status: Literal["MEASURED", "UNKNOWN"]
    reason: str | None = None
    figures: tuple[DropInterval, ...] = ()
    agreement: float | None = None
    slices: tuple[Slice, ...] = ()
    verdict: Verdict

    @property
    def label(self) -> str:
        """How tables name the row: its taints first."""
        return " ".join((*self.taints, self.name, self.target, self.precision))


class EvaluationData(Contract):
    """The samples: where they were, how many, and a hash of their contents."""

    path: str
    layout: str
    samples: int
    labelled: bool
    sha256: str


class AccuracyReport(Document):
    """``accuracy.json``."""

    KIND: ClassVar[str] = "accuracy"

    document: Literal["accuracy"] = "accuracy"
    task: str
    reference: str
    reference_sha256: str
    data: EvaluationData
    primary_metric: str
    rows: tuple[AccuracyRow, ...]
    replicates: int
    seed: int
    threads: int
    toolchain: dict[str, str]
