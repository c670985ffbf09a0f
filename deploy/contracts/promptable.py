"""What the evaluation of promptable segmenters writes: the protocol, a row a model, and who looked at it."""

from __future__ import annotations

from typing import ClassVar, Literal

from deploy.contracts.accuracy import EvaluationData
from deploy.contracts.base import Contract, Document
from deploy.contracts.verdict import Verdict

Kind = Literal["text", "point", "box"]
Role = Literal["truth", "teacher", "student", "exported"]
Severity = Literal["FAIL", "CANNOT-TELL", "NOTE"]


class PromptThresholds(Contract):
    """From where on an answer counts.

    ``presence``: the model says that something is there; ``score``: it keeps a query (only where it says
    so); ``mask_logit``: a pixel is foreground above it; ``ranked_from`` and ``ranked_most``: the least
    confidence (score times presence) and the largest number of queries that average precision ranks.
    """

    presence: float = 0.5
    score: float = 0.5
    mask_logit: float = 0.0
    ranked_from: float = 0.01
    ranked_most: int = 100


class PromptSampling(Contract):
    """How many prompts each picture is asked at most: phrases of things that are there, hard and plain
    absent phrases, points and boxes taken from true objects."""

    present: int = 8
    hard: int = 4
    absent: int = 2
    points: int = 2
    boxes: int = 2
    seed: int = 0


class KindPrompts(Contract):
    """The prompts of one kind: how many, and the hash of pictures and prompts in their order."""

    kind: Kind
    prompts: int
    sha256: str


class EvalProtocol(Contract):
    """Everything that must be equal before two figures may stand in one table; ``digest()`` is its hash.

    ``metrics``: a version for every figure, which moves when its definition does.
    """

    task: str
    data_sha256: str
    pictures: int
    prompt_set_sha256: str
    prompts: tuple[KindPrompts, ...]
    sampling: PromptSampling
    thresholds: PromptThresholds
    matcher: str
    metrics: dict[str, int]


class PromptFigure(Contract):
    """One figure on prompts of one kind, with a cluster bootstrap interval over pictures.

    ``value`` is null with a ``reason`` where it is not defined, never 0. ``samples``: what it is a mean of
    (true objects, prompts or pairs of prompts).
    """

    kind: Kind
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    samples: int
    reason: str | None = None


class PresenceCounts(Contract):
    """Prompts by what is true (first letter right or wrong) and what the model said."""

    kind: Kind
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class PromptSlice(Contract):
    """Figures on a part of the prompts: axis ``phrase`` or ``negatives``."""

    axis: str
    name: str
    figures: tuple[PromptFigure, ...]


class RelativeFigure(Contract):
    """A figure as a share of another row's, on the same prompts: 0.91 is 91 % of it."""

    kind: Kind
    metric: str
    to: str
    ratio: float
    low: float | None = None
    high: float | None = None


class EvaluatorFlag(Contract):
    """Why a row's figures on prompts of one kind must not be taken at their word, and what to do about it."""

    id: str
    kind: Kind
    severity: Severity
    sentence: str
    remedy: str


class PromptableRow(Contract):
    """One model's line. ``asked``: what it was handed, hashed as it was handed over; kinds that it cannot
    answer are missing there and null with a reason among the figures. ``taints`` and ``verdict``: of an
    exported chain, how it was run and whether it equals the student."""

    name: str
    role: Role
    sha256: str | None
    asked: tuple[KindPrompts, ...]
    figures: tuple[PromptFigure, ...]
    presence: tuple[PresenceCounts, ...]
    relative: tuple[RelativeFigure, ...] = ()
    slices: tuple[PromptSlice, ...] = ()
    flags: tuple[EvaluatorFlag, ...] = ()
    taints: tuple[str, ...] = ()
    verdict: Verdict | None = None

    def figure(self, metric: str, kind: Kind = "text") -> PromptFigure | None:
        """The figure of that name and kind of prompt; ``None`` where the row has none."""
        return next((each for each in self.figures if (each.metric, each.kind) == (metric, kind)), None)


class LookedAt(Document):
    """``looked_at.json``: who looked at which page, when (UTC), and what they saw."""

    KIND: ClassVar[str] = "looked_at"

    document: Literal["looked_at"] = "looked_at"
    who: str
    when: str
    verdict: str
    page_sha256: str


class PromptableReport(Document):
    """``promptable.json``. ``page_sha256`` is of the visual page; ``looked_at`` is null until then."""

    KIND: ClassVar[str] = "promptable"

    document: Literal["promptable"] = "promptable"
    protocol: EvalProtocol
    protocol_sha256: str
    data: EvaluationData
    rows: tuple[PromptableRow, ...]
    replicates: int
    seed: int
    page_sha256: str | None = None
    looked_at: LookedAt | None = None
    toolchain: dict[str, str]

    @property
    def visual(self) -> str:
        """One line on the visual page: never opened, or by whom and when, and what they saw."""
        seen = self.looked_at
        if seen is None:
            return "visual QA: never opened"
        return f"visual QA: {seen.who}, {seen.when}: {seen.verdict}"
