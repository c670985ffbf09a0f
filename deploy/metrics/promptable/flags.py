"""What makes a row of figures mean less than it seems: each finding has an id, a sentence and a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.contracts.promptable import EvaluatorFlag, Kind
from deploy.metrics.promptable.records import PromptRecord

EVERYTHING_PRESENT = 0.9
"""A false positive rate from here on is called "says present to everything"."""

UNUSED_BELOW = 0.01
"""Sensitivity below which the prompt counts as unused; a net that ignored it was measured at 0.0018, one
that uses it at 0.06 and more."""

UNUSED_SHARE = 0.1
"""The same as a share of the truth's own sensitivity, where that is larger: true points on two objects differ
by 0.27, and a net that had not learned to read points was measured at 0.014."""

NEARLY_ALL = 0.9
"""Share of prompts on which every query is kept, from which on it is called over-segmentation."""

_GEOMETRY = "Hand points and boxes to teacher and student alike, and train on more of them."
_REMEDIES: dict[Kind, str] = {
    "text": "Check that the sampled text is what is tokenized, by the right tokenizer.",
    "point": _GEOMETRY,
    "box": _GEOMETRY,
}


@dataclass(frozen=True)
class Measured:
    """One model's answers to prompts of one kind: the records, the figures by name (``None``: not defined),
    the low end of selectivity's interval, and the sensitivity of the truth itself on these prompts."""

    kind: Kind
    records: Sequence[PromptRecord]
    values: Mapping[str, float | None]
    selectivity_low: float | None
    truth_sensitivity: float | None


def flags_of(measured: Measured) -> list[EvaluatorFlag]:
    """All findings about one model and kind of prompt, most telling first."""
    return [*_presence(measured), *_use(measured), *_queries(measured)]


def kind_unanswered(kind: Kind, name: str) -> EvaluatorFlag:
    """The finding about a model that cannot be asked so; its figures of that kind are null."""
    return EvaluatorFlag(
        id="KIND-UNANSWERED",
        kind=kind,
        severity="NOTE",
        sentence=f"{name} cannot answer {kind} prompts; its figures on them are null.",
        remedy=f"Do not distil {kind} prompts from it, or name a teacher that answers them.",
    )


def _presence(measured: Measured) -> Iterator[EvaluatorFlag]:
    kind, records = measured.kind, measured.records
    there = [each for each in records if len(each.ious)]
    absent = [each for each in records if not len(each.ious)]
    if kind == "text" and records and not (there and absent):
        what = "there" if there else "absent"
        yield EvaluatorFlag(
            id="ONE-CLASS-PRESENCE",
            kind=kind,
            severity="CANNOT-TELL",
            sentence=f"Every one of {len(records)} text prompts asks for something that is {what}; nothing "
            "can be said about presence.",
            remedy="Evaluate on pictures and phrases of both kinds: present ones and absent ones.",
        )
    rate = measured.values.get("presence_FPR")
    if rate is not None and rate >= EVERYTHING_PRESENT:
        yield EvaluatorFlag(
            id="ALWAYS-PRESENT",
            kind=kind,
            severity="FAIL",
            sentence=f"It says present to everything: {rate:.0%} of {len(absent)} {kind} prompts for absent "
            "things.",
            remedy="Train with hard negatives and empty pictures: phrases of things that are not there.",
        )
    if there and not any(each.said for each in there):
        yield EvaluatorFlag(
            id="ALWAYS-ABSENT",
            kind=kind,
            severity="FAIL",
            sentence=f"It says absent to everything: none of {len(there)} {kind} prompts for things that are "
            "there.",
            remedy="Check tokens and phrases first (a phrase it never learned), then the presence loss.",
        )


def _use(measured: Measured) -> Iterator[EvaluatorFlag]:
    kind, value, ceiling = measured.kind, measured.values.get("sensitivity"), measured.truth_sensitivity
    if value is not None and ceiling is not None and value < max(UNUSED_BELOW, UNUSED_SHARE * ceiling):
        if ceiling < UNUSED_BELOW:
            yield EvaluatorFlag(
                id="SENSITIVITY-UNTESTED",
                kind=kind,
                severity="CANNOT-TELL",
                sentence=f"The true masks of different {kind} prompts differ by {ceiling:.4f} only; this set "
                "cannot show whether the prompt is used.",
                remedy="Evaluate on pictures with larger and more different objects.",
            )
        else:
            yield EvaluatorFlag(
                id="PROMPT-UNUSED",
                kind=kind,
                severity="FAIL",
                sentence=f"The prompt is not used: answers to different {kind} prompts differ by {value:.4f} "
                f"(the truth's by {ceiling:.4f}).",
                remedy=_REMEDIES[kind],
            )
    selectivity, low = measured.values.get("selectivity"), measured.selectivity_low
    if selectivity is not None and low is not None and low <= 0:
        yield EvaluatorFlag(
            id="NOT-SELECTIVE",
            kind=kind,
            severity="FAIL" if selectivity <= UNUSED_BELOW else "CANNOT-TELL",
            sentence=f"Its masks fit what was asked no better than what was not: selectivity "
            f"{selectivity:+.3f} for {kind} prompts, and the interval reaches {low:+.3f}.",
            remedy="Look at the page: do masks change with the prompt? Otherwise evaluate more pictures.",
        )


def _queries(measured: Measured) -> Iterator[EvaluatorFlag]:
    """Findings about models with a fixed number of queries; one that lists what it found spares none."""
    kind, numbers = measured.kind, {each.queries for each in measured.records}
    if len(numbers) != 1:
        return
    queries = numbers.pop()
    there = [each for each in measured.records if len(each.ious)]
    spare = [each for each in there if queries > len(each.ious)]
    full = [each for each in spare if each.kept == queries]
    if spare and len(full) >= NEARLY_ALL * len(spare):
        yield EvaluatorFlag(
            id="EVERY-QUERY-KEPT",
            kind=kind,
            severity="FAIL",
            sentence=f"Over-segmentation: every query is kept ({queries} of {queries}) on {len(full)} of "
            f"{len(spare)} {kind} prompts with fewer objects than queries.",
            remedy="Match with a limit (max_matches), filter faint teacher queries, train unmatched queries "
            "as no object.",
        )
    beyond = [each for each in there if len(each.ious) > queries]
    if beyond:
        most = max(len(each.ious) for each in beyond)
        yield EvaluatorFlag(
            id="TRUTH-BEYOND-QUERIES",
            kind=kind,
            severity="NOTE",
            sentence=f"{len(beyond)} {kind} prompts mean more objects (up to {most}) than its "
            f"{queries} queries; those it cannot answer count as missed.",
            remedy="Give the model more queries, or say with the figure that it cannot reach 1.",
        )
