"""Clips as the page shows them: the same clip of all runs together, with its chart and its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.contracts.plan import Clip
from device_bench.figures import Figure
from device_bench.report import charts
from device_bench.report.strips import Strip, frame_indices, mask_strip, truth_strip
from device_bench.score.model import ClipScore, Report, RunScore

Member = tuple[int, RunScore, ClipScore]


@dataclass(frozen=True)
class ClipView:
    """One clip: a row of figures per run, a chart, and strips over the frames numbered ``columns``."""

    name: str
    frames: int
    rows: tuple[tuple[RunScore, ClipScore], ...]
    reference: Figure
    truth: Figure
    reference_acceleration: Figure
    truth_acceleration: Figure
    plot: dict[str, Any] | None
    columns: tuple[int, ...]
    strips: tuple[Strip, ...]


def clip_views(report: Report) -> list[ClipView]:
    """Clips in order of appearance; runs share one when name and frame hashes agree."""
    groups: dict[str, list[Member]] = {}
    clips: dict[str, Clip] = {}
    for index, score in enumerate(report.runs):
        by_name = {clip.sequence: clip for clip in score.plan.clips}
        for scored in score.clips:
            clip = by_name[scored.sequence]
            key = "|".join([clip.sequence, *(frame.sha256 for frame in clip.frames)])
            clips[key] = clip
            groups.setdefault(key, []).append((index, score, scored))
    return [_view(number, clips[key], members) for number, (key, members) in enumerate(groups.items())]


def _view(number: int, clip: Clip, members: list[Member]) -> ClipView:
    first = members[0]
    traces = charts.jitter(members)
    plot = {
        "id": f"jitter-{number}",
        "traces": traces,
        "x": "frame",
        "y": "flip rate",
        "x_log": False,
        "legend": True,
    }
    return ClipView(
        name=clip.sequence,
        frames=len(clip.frames),
        rows=tuple((score, scored) for _, score, scored in members),
        reference=first[2].flips["reference"],
        truth=first[2].flips["truth"],
        reference_acceleration=first[2].acceleration["reference"],
        truth_acceleration=first[2].acceleration["truth"],
        plot=plot if traces else None,
        columns=tuple(frame_indices(clip)),
        strips=tuple(_strips(clip, members)),
    )


def _strips(clip: Clip, members: list[Member]) -> list[Strip]:
    """Truth, the reference (from the first run that has it), then every artifact."""
    strips: list[Strip] = []
    folder = members[0][1].folder
    truth = truth_strip(folder, clip)
    if truth is not None:
        strips.append(truth)
    for _, score, _ in members:
        names = score.mask_files(clip.sequence)
        if all((score.folder / "reference" / name).is_file() for name in names):
            strips.append(mask_strip("fp32 reference", score.folder, clip, score.folder / "reference", names))
            break
    for _, score, _ in members:
        names = score.mask_files(clip.sequence)
        strips.append(mask_strip(score.name, score.folder, clip, score.folder, names, score.taints))
    return strips
