"""Steadiness tables: the same clip of all runs together, best ``steady J&F`` first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deploy.contracts.plan import Clip
from device_bench.figures import Figure
from device_bench.score.model import ClipScore, MaskScore, Report, RunScore

REFERENCE = "fp32 reference"
TRUTH = "truth"


@dataclass(frozen=True)
class Row:
    """One line: a run's masks, or (``run`` is ``None``) those of the reference or the truth.

    ``likeness`` is J against the reference, ``excess`` artifact minus reference; both only for runs.
    """

    label: str
    run: RunScore | None
    masks: MaskScore
    likeness: Figure | None = None
    excess: Figure | None = None

    @property
    def title(self) -> str:
        """How the row is named; a run with its taints in front."""
        return self.run.title if self.run else self.label

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same run on every clip."""
        return self.label, str(self.run.folder) if self.run else ""


@dataclass(frozen=True)
class Member:
    """A run that saw the clip; ``index`` is its place in the report."""

    index: int
    run: RunScore
    scored: ClipScore


@dataclass(frozen=True)
class Group:
    """One clip and the runs that saw it with the same mask classes; ``rows`` are ranked, truth last."""

    clip: Clip
    members: tuple[Member, ...]
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The clip's name, with the classes or the phrase that its masks are made of."""
        asked = _asked(self.members[0].run)
        return f"{self.clip.sequence} ({', '.join(asked)})" if asked else self.clip.sequence

    @property
    def against(self) -> str:
        """What ``steady J&F`` goes by."""
        return self.members[0].scored.against


def _asked(run: RunScore) -> tuple[str, ...]:
    """What masks were made of: the classes that were chosen, or the phrase."""
    chain = run.plan.chain
    return (chain.phrase,) if chain else (run.plan.mask_classes or ())


def groups(report: Report) -> list[Group]:
    """Clips in order of appearance; runs share one when frames, mask classes and yardstick agree."""
    members: dict[str, list[Member]] = {}
    clips: dict[str, Clip] = {}
    for index, run in enumerate(report.runs):
        by_name = {clip.sequence: clip for clip in run.plan.clips}
        for scored in run.clips:
            clip = by_name[scored.sequence]
            frames = [frame.sha256 for frame in clip.frames]
            key = "|".join([clip.sequence, *frames, scored.against, *_asked(run)])
            clips[key] = clip
            members.setdefault(key, []).append(Member(index, run, scored))
    return [Group(clips[key], tuple(found), tuple(_rows(found))) for key, found in members.items()]


def mean_rows(found: list[Group]) -> list[Row]:
    """Means over clips, ranked; empty unless there are several clips and every run saw all of them."""
    keys = [[row.key for row in group.rows] for group in found]
    if len(found) < 2 or any(sorted(other) != sorted(keys[0]) for other in keys):
        return []
    if len({group.against for group in found}) > 1:
        return []
    by_key = [{row.key: row for row in group.rows} for group in found]
    return _ranked([_mean_row([rows[key] for rows in by_key]) for key in keys[0]])


def mean_figure(figures: Iterable[Figure], reason: str | None = None) -> Figure:
    """The one figure, or the plain mean over clips (without an interval); UNKNOWN keeps the first reason."""
    listed = list(figures)
    if len(listed) == 1:
        return listed[0]
    known = [figure.value for figure in listed if figure.value is not None]
    if len(known) < len(listed) or not listed:
        why = next((f.reason for f in listed if f.reason), None) or reason or "no clip was run"
        return Figure.unknown(why)
    return Figure(sum(known) / len(known))


def steady_figure(run: RunScore) -> Figure:
    """The run's mean ``steady J&F``; clips judged by the truth and by the reference are never mixed."""
    if len({clip.against for clip in run.clips}) > 1:
        return Figure.unknown("some clips have true masks and some have none")
    return mean_figure([clip.artifact.steady_jf for clip in run.clips], run.clips_reason)


def references(members: Iterable[Member]) -> list[tuple[str, Member]]:
    """Each fp32 reference the members were compared with, and the first member that was."""
    first: dict[str, Member] = {}
    for member in members:
        artifact = member.run.artifact
        first.setdefault(artifact.reference_sha256 if artifact else "", member)
    if len(first) == 1:
        return [(REFERENCE, member) for member in first.values()]
    return [(f"{REFERENCE} of {member.run.name}", member) for member in first.values()]


def _rows(members: list[Member]) -> list[Row]:
    """Runs and references ranked, the truth below them; a reference that was benched is no second row."""
    benched = {member.run.plan.model_sha256 for member in members}
    rows = [
        Row(label, None, member.scored.reference)
        for label, member in references(members)
        if member.run.artifact is None or member.run.artifact.reference_sha256 not in benched
    ]
    rows += [
        Row(m.run.name, m.run, m.scored.artifact, m.scored.j_reference, m.scored.excess) for m in members
    ]
    return [*_ranked(rows), Row(TRUTH, None, members[0].scored.truth)]


def _ranked(rows: list[Row]) -> list[Row]:
    """By ``steady J&F``, then J&F, as ``deploy.metrics.steadiness.ranked``; the truth and UNKNOWN last."""

    def key(row: Row) -> tuple[bool, float, float]:
        steady, jf = row.masks.steady_jf.value, row.masks.jf.value
        return (
            row.label == TRUTH,
            math.inf if steady is None else -steady,
            math.inf if jf is None else -jf,
        )

    return sorted(rows, key=key)


def _mean_row(rows: list[Row]) -> Row:
    def mean(pick: Callable[[MaskScore], Figure]) -> Figure:
        return mean_figure([pick(row.masks) for row in rows])

    masks = MaskScore(
        steady_jf=mean(lambda m: m.steady_jf),
        jf=mean(lambda m: m.jf),
        j=mean(lambda m: m.j),
        f=mean(lambda m: m.f),
        flips=mean(lambda m: m.flips),
        acceleration=mean(lambda m: m.acceleration),
        lag=Figure.unknown("a mean lag would mean nothing"),
    )
    likeness = [row.likeness for row in rows if row.likeness]
    excess = [row.excess for row in rows if row.excess]
    first = rows[0]
    return Row(
        first.label,
        first.run,
        masks,
        mean_figure(likeness) if likeness else None,
        mean_figure(excess) if excess else None,
    )
