"""The outcome of a judgement: a word, an interval and the number of samples that would settle it."""

from __future__ import annotations

from typing import Literal

from deploy.contracts.base import Contract

Outcome = Literal["PASS", "FAIL", "CANNOT-TELL", "UNKNOWN"]


class Verdict(Contract):
    """Whether a drop stays inside its budget.

    PASS: the whole interval is at or below ``budget``; FAIL: the whole interval is above it; CANNOT-TELL:
    the interval straddles it, and ``samples_needed`` would separate them; UNKNOWN: not measured here.
    ``drop`` is reference minus artifact, so positive is worse.
    """

    outcome: Outcome
    reason: str
    metric: str
    budget: float
    drop: float | None = None
    low: float | None = None
    high: float | None = None
    confidence_percent: float = 95.0
    samples: int = 0
    samples_needed: int | None = None
