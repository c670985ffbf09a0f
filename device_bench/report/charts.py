"""Chart data for the page: plain Plotly traces as JSON; colours and fonts are the page's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.verdict import Verdict
from device_bench.report.ranks import Member
from device_bench.report.rows import reference_figures, verdict_of
from device_bench.score.model import ComparisonScore, Report, RunScore

POINTS = 1500
"""Points a line may have; more would only make the page heavy."""

Trace = dict[str, Any]


def tradeoff(report: Report) -> list[Trace]:
    """Accuracy drop, with its interval, against median latency: one point per run with both.

    The fp32 reference, where it was benched, is a diamond at drop 0.
    """
    traces: list[Trace] = []
    references: list[Trace] = []
    for index, score in enumerate(report.runs):
        found = verdict_of(report, score)
        if score.latency is None or score.latency.p50.value is None:
            continue
        if found is None:
            if reference_figures(report, score) is not None:
                references.append(_reference_point(index, score, score.latency.p50.value))
            continue
        what = f"{score.plan.target} {score.plan.precision}"
        traces += _drop_point(index, score.title, what, score.latency.p50.value, "ms", found[1].verdict)
    return traces + references if traces else []


def sizes(report: Report) -> list[Trace]:
    """Accuracy drop, with its interval, against file size: one point per verified file, benched or not."""
    rows = [row for _, accuracy in report.accuracy for row in accuracy.rows]
    return [
        point
        for index, row in enumerate(rows)
        for point in _drop_point(
            index, row.label, f"{row.target} {row.precision}", row.model_bytes / 1e6, "MB", row.verdict
        )
    ]


def _drop_point(index: int, name: str, what: str, x: float, unit: str, verdict: Verdict) -> list[Trace]:
    """A drop with its whiskers over ``x``; nothing where there is no drop."""
    if verdict.drop is None or verdict.low is None or verdict.high is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [round(x, 4)],
            "y": [verdict.drop],
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [verdict.high - verdict.drop],
                "arrayminus": [verdict.drop - verdict.low],
            },
            "marker": {"size": 13},
            "slot": index,
            "text": [f"{verdict.outcome} · {what}"],
            "hovertemplate": f"%{{text}}<br>%{{x:.2f}} {unit}, drop %{{y:.4f}}"
            "<extra>%{fullData.name}</extra>",
            "budget": verdict.budget,
        }
    ]


def _reference_point(index: int, score: RunScore, p50_ms: float) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{score.title} (the reference)",
        "x": [round(p50_ms, 4)],
        "y": [0.0],
        "marker": {"size": 14, "symbol": "diamond"},
        "slot": index,
        "hovertemplate": "fp32 reference<br>%{x:.2f} ms<extra>%{fullData.name}</extra>",
    }


def distribution(report: Report) -> list[Trace]:
    """Share of inferences that took at most so long (ECDF): tails are as visible as medians."""
    traces: list[Trace] = []
    for index, score in enumerate(report.runs):
        if score.latency is None:
            continue
        ordered = np.sort(score.latency.infer_ms)
        picked = _spread(len(ordered))
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": score.title,
                "x": _numbers(ordered[picked]),
                "y": _numbers((picked + 1) / len(ordered) * 100),
                "line": {"width": 2, "shape": "hv"},
                "slot": index,
                "hovertemplate": "%{y:.1f} % within %{x:.3f} ms<extra>%{fullData.name}</extra>",
            }
        )
    return traces


def timeline(report: Report) -> list[Trace]:
    """Inference time over the run: a band from the 10th to the 90th percentile around the median."""
    traces: list[Trace] = []
    for index, score in enumerate(report.runs):
        if score.latency is None:
            continue
        at, low, middle, high = _bins(score.latency.t_s, score.latency.infer_ms)
        common = {"type": "scatter", "mode": "lines", "slot": index, "legendgroup": str(index)}
        band = {**common, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        traces += [
            {**band, "x": at, "y": low},
            {**band, "x": at, "y": high, "fill": "tonexty", "band": True},
            {
                **common,
                "name": score.title,
                "x": at,
                "y": middle,
                "line": {"width": 2},
                "hovertemplate": "%{x:.1f} s: %{y:.3f} ms<extra>%{fullData.name}</extra>",
            },
        ]
    return traces


def jitter(members: tuple[Member, ...]) -> list[Trace]:
    """Flips per frame of one clip: every artifact, with reference and truth of the first that has them."""
    traces: list[Trace] = []
    for who, dash in (("truth", "dot"), ("reference", "dash")):
        tracks = (member.scored.flip_tracks for member in members)
        track = next((found[who] for found in tracks if who in found), None)
        if track is not None:
            traces.append(_track(who, track, {"width": 2, "dash": dash}, who))
    for member in members:
        if "artifact" in member.scored.flip_tracks:
            track = member.scored.flip_tracks["artifact"]
            traces.append(_track(member.run.title, track, {"width": 2}, member.index))
    return traces


def ratios(score: ComparisonScore) -> list[Trace]:
    """Histogram of pair ratios, the outer 1 % clipped out of view (the figures keep them)."""
    low, high = np.percentile(score.ratios, [0.5, 99.5])
    inside = score.ratios[(score.ratios >= low) & (score.ratios <= high)]
    counts, edges = np.histogram(inside, bins=60)
    return [
        {
            "type": "bar",
            "x": _numbers((edges[1:] + edges[:-1]) / 2),
            "y": counts.tolist(),
            "name": score.title,
            "slot": 0,
            "hovertemplate": "ratio %{x:.3f}: %{y} pairs<extra></extra>",
        }
    ]


def _track(name: str, values: NDArray[np.float64], line: dict[str, Any], slot: int | str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(range(1, len(values) + 1)),
        "y": _numbers(values),
        "line": line,
        "slot": slot,
        "hovertemplate": "frame %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",
    }


def _bins(
    t_s: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """At most 200 equal time bins with their 10th, 50th and 90th percentiles; empty bins are left out."""
    bins = int(np.clip(len(values) // 10, min(len(values), 8), 200))
    edges = np.linspace(t_s[0], t_s[-1], bins + 1)
    cuts = np.searchsorted(t_s, edges[1:-1])
    columns: tuple[list[Any], list[Any], list[Any], list[Any]] = ([], [], [], [])
    for start, stop in zip([0, *cuts], [*cuts, len(values)], strict=True):
        if stop > start:
            row = [float(t_s[start:stop].mean()), *np.percentile(values[start:stop], [10, 50, 90])]
            for column, value in zip(columns, row, strict=True):
                column.append(round(float(value), 5))
    return columns


def _spread(count: int) -> NDArray[np.int64]:
    """Indices of at most POINTS ranks; half of them in the upper tenth, where tails live."""
    if count <= POINTS:
        return np.arange(count)
    body = np.linspace(0, count * 0.9, POINTS // 2, dtype=np.int64)
    tail = np.linspace(count * 0.9, count - 1, POINTS // 2, dtype=np.int64)
    return np.unique(np.concatenate([body, tail]))


def _numbers(values: NDArray[Any]) -> list[float | None]:
    """JSON numbers of six digits; NaN becomes a gap."""
    return [None if not np.isfinite(value) else float(f"{value:.6g}") for value in values]
