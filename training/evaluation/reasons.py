"""What a figure is a mean of, and why it is null where it is: counts of records, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.contracts.promptable import Kind, PresenceCounts
from deploy.metrics.promptable.presence import why_undefined
from deploy.metrics.promptable.records import PromptRecord
from deploy.metrics.promptable.separation import Difference

_OF_PROMPTS = ("presence_F1", "IL_MCC", "presence_FPR", "cgF1")


def presence_counts(kind: Kind, records: Sequence[PromptRecord]) -> PresenceCounts:
    """The four counts of the prompts as they are."""
    there = [each.said for each in records if len(each.ious)]
    absent = [each.said for each in records if not len(each.ious)]
    return PresenceCounts(
        kind=kind,
        true_positives=sum(there),
        false_positives=sum(absent),
        false_negatives=len(there) - sum(there),
        true_negatives=len(absent) - sum(absent),
    )


def counted(metric: str, records: Sequence[PromptRecord], differences: Mapping[int, Difference]) -> int:
    """How many things a figure is a mean of: prompts, pairs of prompts, or objects."""
    if metric in _OF_PROMPTS:
        return len(records)
    if metric == "sensitivity":
        return sum(each.pairs for each in differences.values())
    if metric == "selectivity":
        return sum(each.separation == each.separation for each in records)
    if metric == "teacher_mIoU":
        return sum(0 if each.teacher_ious is None else len(each.teacher_ious) for each in records)
    return sum(len(each.ious) for each in records)


def why_null(metric: str, records: Sequence[PromptRecord]) -> str:
    """The reason why a figure is not defined on these records."""
    if metric in _OF_PROMPTS:
        counts = presence_counts("text", records)
        reason = why_undefined(
            metric,
            counts.true_positives,
            counts.false_positives,
            counts.false_negatives,
            counts.true_negatives,
        )
        if reason is not None:
            return reason
    if metric == "sensitivity":
        return "no picture was asked two prompts of this kind"
    if metric == "selectivity":
        return "no picture was asked about two different objects"
    if metric == "teacher_mIoU":
        return "no teacher kept a mask for a prompt of this kind"
    return "no prompt of this kind means anything that is there"
