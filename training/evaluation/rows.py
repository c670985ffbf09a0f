"""A model's line of the report: figures with intervals, slices, shares of the teacher's, and flags."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import (
    EvaluatorFlag,
    Kind,
    KindPrompts,
    PromptableRow,
    PromptFigure,
    PromptSlice,
    RelativeFigure,
)
from deploy.metrics.promptable.figures import Totals, summarise
from deploy.metrics.promptable.flags import Measured, flags_of, kind_unanswered
from deploy.metrics.promptable.presence import f1_score, false_positive_rate
from deploy.metrics.promptable.records import PromptRecord
from deploy.metrics.promptable.separation import Difference
from deploy.prompts.hashing import KINDS
from deploy.statistics.bootstrap import interval, known
from training.evaluation.contestant import Contestant
from training.evaluation.reasons import counted, presence_counts, why_null

RELATIVE = ("mIoU", "boundary_F", "mask_AP", "positive_micro_F1", "presence_F1", "IL_MCC", "selectivity")
"""Figures that are also given as a share of the teacher's."""

_SLICE_ROWS = 401


@dataclass
class Evidence:
    """Everything that one model answered: records by kind, and by kind and picture how far answers differ."""

    contestant: Contestant
    records: dict[Kind, list[PromptRecord]] = field(default_factory=lambda: defaultdict(list))
    differences: dict[Kind, dict[int, Difference]] = field(default_factory=lambda: defaultdict(dict))


@dataclass(frozen=True)
class Scored:
    """A row and its replicates, float64 (R,) by kind and figure, for paired comparisons."""

    row: PromptableRow
    replicates: Mapping[tuple[Kind, str], NDArray[np.float64]]


def score(
    evidence: Evidence,
    asked: tuple[KindPrompts, ...],
    planned: Sequence[Kind],
    weights: NDArray[np.int64],
    truth: Scored | None,
) -> Scored:
    """Make a row.

    Args:
        evidence: the model's answers.
        asked: what it was handed.
        planned: the kinds of prompts of this evaluation.
        weights: int64 (R, N); row 0 is the pictures as they are.
        truth: the oracle's row, for what the set itself can show; ``None`` for the oracle.
    """
    name, role = evidence.contestant.answerer.name, evidence.contestant.role
    replicates: dict[tuple[Kind, str], NDArray[np.float64]] = {}
    figures: list[PromptFigure] = []
    flags: list[EvaluatorFlag] = []
    for kind in planned:
        if kind not in evidence.contestant.answerer.kinds:
            figures += _unanswered(kind, name)
            flags.append(kind_unanswered(kind, name))
            continue
        records, differences = evidence.records[kind], evidence.differences[kind]
        values = summarise(records, differences, weights)
        if role in ("truth", "teacher"):
            del values["teacher_mIoU"]  # nobody is measured by itself
        mine = [_figure(kind, each, values[each], records, differences) for each in values]
        replicates |= {(kind, metric): array for metric, array in values.items()}
        figures += mine
        if role != "truth":
            flags += flags_of(_measured(kind, records, mine, truth))
    row = PromptableRow(
        name=name,
        role=role,
        sha256=evidence.contestant.sha256,
        asked=asked,
        figures=tuple(figures),
        presence=tuple(
            presence_counts(kind, evidence.records[kind]) for kind in planned if evidence.records[kind]
        ),
        slices=tuple(_slices(evidence.records["text"], weights[:_SLICE_ROWS])) if role != "truth" else (),
        flags=tuple(flags),
    )
    return Scored(row, replicates)


def relative_to(scored: Scored, other: Scored) -> tuple[RelativeFigure, ...]:
    """The row's figures as shares of another's, with intervals over the same pictures drawn for both; only
    figures that both have, and where the other's is above 0."""
    found = []
    for kind in KINDS:
        for metric in RELATIVE:
            mine, theirs = scored.replicates.get((kind, metric)), other.replicates.get((kind, metric))
            if mine is None or theirs is None or not theirs[0] > 0 or math.isnan(mine[0]):
                continue
            shares = np.full(len(mine), np.nan)
            np.divide(mine, theirs, out=shares, where=theirs > 0)
            span = interval(shares[1:])
            found.append(
                RelativeFigure(
                    kind=kind,
                    metric=metric,
                    to=f"{other.row.role} {other.row.name}",
                    ratio=float(shares[0]),
                    low=known(span.low),
                    high=known(span.high),
                )
            )
    return tuple(found)


def _measured(
    kind: Kind, records: Sequence[PromptRecord], figures: Sequence[PromptFigure], truth: Scored | None
) -> Measured:
    by_name = {each.metric: each for each in figures}
    ceiling = truth.row.figure("sensitivity", kind) if truth is not None else None
    return Measured(
        kind=kind,
        records=records,
        values={name: each.value for name, each in by_name.items()},
        selectivity_low=by_name["selectivity"].low,
        truth_sensitivity=None if ceiling is None else ceiling.value,
    )


def _figure(
    kind: Kind,
    metric: str,
    values: NDArray[np.float64],
    records: Sequence[PromptRecord],
    differences: Mapping[int, Difference],
) -> PromptFigure:
    samples = counted(metric, records, differences)
    if np.isnan(values[0]):
        reason = why_null(metric, records)
        return PromptFigure(kind=kind, metric=metric, value=None, samples=samples, reason=reason)
    span = interval(values[1:])
    return PromptFigure(
        kind=kind,
        metric=metric,
        value=float(values[0]),
        low=known(span.low),
        high=known(span.high),
        samples=samples,
    )


def _unanswered(kind: Kind, name: str) -> list[PromptFigure]:
    reason = f"{name} cannot answer {kind} prompts"
    metrics = ("mIoU", "boundary_F", "mask_AP", "sensitivity", "selectivity")
    return [PromptFigure(kind=kind, metric=each, value=None, samples=0, reason=reason) for each in metrics]


def _slices(records: Sequence[PromptRecord], weights: NDArray[np.int64]) -> Iterable[PromptSlice]:
    """Axis ``phrase``: masks, presence and selectivity of each; axis ``negatives``: false alarms by how hard
    the absent phrase is."""
    by_phrase: dict[str, list[PromptRecord]] = defaultdict(list)
    by_group: dict[str, list[PromptRecord]] = defaultdict(list)
    for each in records:
        by_phrase[each.asked.phrase].append(each)
        if each.asked.group != "present":
            by_group[each.asked.group].append(each)
    for phrase, part in sorted(by_phrase.items()):
        totals = Totals(part, weights)
        values = {
            "mIoU": totals.mean_iou(),
            "presence_F1": f1_score(totals.presence()),
            "presence_FPR": false_positive_rate(totals.presence()),
            "selectivity": totals.selectivity(),
        }
        figures = tuple(_figure("text", metric, array, part, {}) for metric, array in values.items())
        yield PromptSlice(axis="phrase", name=phrase, figures=figures)
    for group, part in sorted(by_group.items()):
        rate = false_positive_rate(Totals(part, weights).presence())
        yield PromptSlice(
            axis="negatives", name=group, figures=(_figure("text", "presence_FPR", rate, part, {}),)
        )
