"""Clips as the page shows them: ranked rows, a chart, and frames that show where masks differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from device_bench.report import charts
from device_bench.report.ranks import Group, Row, groups, mean_rows, references
from device_bench.report.strips import Strip, frame_indices, mask_strip, same_masks, truth_strip
from device_bench.score.model import Report


@dataclass(frozen=True)
class ClipView:
    """One clip: ranked rows, a chart, and strips over the frames numbered ``columns``.

    ``slots`` are the colours of rows by run; the means over clips have rows only.
    """

    name: str
    frames: int
    against: str
    rows: tuple[Row, ...]
    slots: dict[str, int]
    plot: dict[str, Any] | None = None
    columns: tuple[int, ...] = ()
    strips: tuple[Strip, ...] = ()


def clip_views(report: Report) -> list[ClipView]:
    """The means over clips where there are several, then every clip in order of appearance."""
    found = groups(report)
    views = [_view(number, group) for number, group in enumerate(found)]
    means = mean_rows(found)
    if means:
        frames = sum(len(group.clip.frames) for group in found)
        name = f"mean of {len(found)} clips"
        views.insert(0, ClipView(name, frames, found[0].against, tuple(means), views[0].slots))
    return views


def _view(number: int, group: Group) -> ClipView:
    traces = charts.jitter(group.members)
    plot = {
        "id": f"jitter-{number}",
        "traces": traces,
        "x": "frame",
        "y": "flip rate",
        "x_log": False,
        "legend": True,
    }
    return ClipView(
        name=group.name,
        frames=len(group.clip.frames),
        against=group.against,
        rows=group.rows,
        slots={str(member.run.folder): member.index for member in group.members},
        plot=plot if traces else None,
        columns=tuple(frame_indices(group.clip)),
        strips=tuple(_strips(group)),
    )


def _strips(group: Group) -> list[Strip]:
    """Truth, each reference with the runs that equal it, then the runs that differ."""
    clip, shown = group.clip, group.members[0].run.folder
    truth = truth_strip(shown, clip)
    strips = [truth] if truth is not None else []
    alike: set[str] = set()
    for label, first in references(group.members):
        names = first.run.mask_files(clip.sequence)
        folder = first.run.folder / "reference"
        if not names or not all((folder / name).is_file() for name in names):
            continue
        same = [
            member.run
            for member in group.members
            if same_masks(clip, folder, names, member.run.folder, member.run.mask_files(clip.sequence))
        ]
        alike |= {str(run.folder) for run in same}
        note = f"identical to the reference: {', '.join(run.title for run in same)}" if same else ""
        strips.append(mask_strip(label, shown, clip, folder, names, note=note))
    for member in group.members:
        run = member.run
        if str(run.folder) not in alike:
            names = run.mask_files(clip.sequence)
            strips.append(mask_strip(run.name, run.folder, clip, run.folder, names, run.taints))
    return strips
