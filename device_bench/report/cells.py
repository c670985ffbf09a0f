"""View models of the page's tables: what a template may print without computing anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow, DropInterval
from deploy.contracts.verdict import Verdict
from device_bench.figures import Figure, digits_for, fixed
from device_bench.report.ranks import mean_figure, steady_figure
from device_bench.report.rows import reference_figures, verdict_of
from device_bench.score.model import ComparisonScore, Report, RunScore


@dataclass(frozen=True)
class Cell:
    """A figure as printed: its value, its interval or a note below it, or the reason it is unknown.

    ``share`` is 0..1 of the column's largest value, for the bar behind it.
    """

    value: str
    interval: str = ""
    reason: str = ""
    share: float | None = None


@dataclass(frozen=True)
class VerdictCell:
    """The word, its CSS class, and the words below it."""

    word: str
    css: str
    detail: str


@dataclass(frozen=True)
class RunView:
    """One row of the summary."""

    index: int
    score: RunScore
    verdict: VerdictCell
    failure: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Tile:
    """One of the big numbers on top."""

    label: str
    value: str
    detail: str
    css: str = ""


def cell(figure: Figure, digits: int | None = None, share: float | None = None) -> Cell:
    """A figure as a cell."""
    if figure.value is None:
        return Cell("UNKNOWN", reason=figure.reason or "")
    digits = digits_for(figure.value) if digits is None else digits
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{fixed(figure.low, digits)} – {fixed(figure.high, digits)}"
    return Cell(fixed(figure.value, digits), interval, share=share)


def run_view(report: Report, score: RunScore) -> RunView:
    """The summary row of one run."""
    run, latency = score.run, score.latency
    slowest = max((s.latency.p50.value or 0.0 for s in report.runs if s.latency), default=0.0)
    failure = f"{run.failure.id}: {run.failure.summary}" if run.failure else ""
    nothing = Cell("UNKNOWN", reason=failure or "no samples")
    size = score.artifact.model_bytes if score.artifact else None
    cells = {
        "p50": cell(latency.p50, None, (latency.p50.value or 0) / slowest if slowest else None)
        if latency
        else nothing,
        "tail": _pair(cell(latency.p99), cell(latency.p90)) if latency else nothing,
        "fps": cell(latency.fps, 1) if latency else nothing,
        "start": _pair(
            _reading(run.load_ns.value, run.load_ns.reason, 1e-6, 0),
            _reading(run.first_inference_ns.value, run.first_inference_ns.reason, 1e-6, 1),
        ),
        "memory": _pair(
            _reading(run.peak_memory_bytes.value, run.peak_memory_bytes.reason, 1e-6, 0),
            _reading(size, "no artifact.json", 1e-6, 1),
        ),
        "steady": _steady(score),
        "jf": cell(mean_figure([clip.artifact.jf for clip in score.clips], score.clips_reason), 3),
        "excess": cell(mean_figure([clip.excess for clip in score.clips], score.clips_reason), 4),
    }
    index = report.runs.index(score)
    return RunView(index, score, _judgement(report, score), failure, cells)


def _judgement(report: Report, score: RunScore) -> VerdictCell:
    """The verdict on the run's file, or that it is the reference itself, with its figures."""
    found = verdict_of(report, score)
    figures = reference_figures(report, score)
    if found is None and figures is not None:
        shown = ", ".join(f"{metric} {value:.4f}" for metric, value in figures[:2])
        return VerdictCell("reference", "reference", shown or "what the others are compared with")
    return verdict_cell(found[1].verdict if found else None)


def _steady(score: RunScore) -> Cell:
    figure = steady_figure(score)
    if figure.value is not None and score.clips[0].against == "reference":
        return Cell(f"{figure.value:.3f}", "against the reference")
    return cell(figure, 3)


def _pair(first: Cell, second: Cell) -> Cell:
    """Two readings of one kind in one column, the second one small."""
    return Cell(first.value, second.value if second.value != "UNKNOWN" else "", first.reason)


def _reading(value: int | None, reason: str | None, factor: float, digits: int) -> Cell:
    return Cell("UNKNOWN", reason=reason or "") if value is None else Cell(f"{value * factor:.{digits}f}")


def verdict_cell(verdict: Verdict | None) -> VerdictCell:
    """A chip; UNKNOWN when no accuracy.json names the model."""
    if verdict is None:
        return VerdictCell("UNKNOWN", "unknown", "no accuracy.json for this model")
    detail = f"needs {verdict.samples_needed} samples" if verdict.samples_needed else verdict.reason
    if verdict.drop is not None and verdict.low is not None and verdict.high is not None:
        needs = f", needs {verdict.samples_needed} samples" if verdict.samples_needed else ""
        detail = f"drop {verdict.drop:+.4f} [{verdict.low:+.4f}, {verdict.high:+.4f}]{needs}"
    return VerdictCell(verdict.outcome, verdict.outcome.lower(), detail)


def tiles(report: Report) -> list[Tile]:
    """Fastest run that passes (or fastest of all), verdicts, and what needs a second look."""
    timed = [s for s in report.runs if s.latency is not None and s.latency.p50.value is not None]
    passing = [s for s in timed if (f := verdict_of(report, s)) and f[1].verdict.outcome == "PASS"]
    found: list[Tile] = []
    pool = passing or timed
    if pool:
        best = min(pool, key=lambda s: s.latency.p50.value or 0 if s.latency else 0)
        label = "Fastest that passes" if passing else "Fastest"
        assert best.latency is not None
        found.append(Tile(label, f"{best.latency.p50.value:.2f} ms", best.title))
    rows = [row for _, accuracy in report.accuracy for row in accuracy.rows]
    if rows:
        counts = {word: sum(row.verdict.outcome == word for row in rows) for word in _WORDS}
        detail = " · ".join(f"{count} {word}" for word, count in counts.items() if count)
        css = "fail" if counts["FAIL"] else "pass" if counts["PASS"] == len(rows) else ""
        found.append(Tile("Accuracy", f"{counts['PASS']} of {len(rows)} pass", detail, css))
    tainted = [s for s in report.runs if s.taints]
    failed = [s for s in report.runs if s.run.status == "failed"]
    if report.runs:
        words = sorted({taint for s in tainted for taint in s.taints})
        detail = ", ".join(words) or "no taints"
        css = "fail" if failed else ""
        value = f"{len(report.runs) - len(failed)} of {len(report.runs)}"
        found.append(Tile("Runs completed", value, detail, css))
    if report.broken:
        found.append(Tile("Unreadable", str(len(report.broken)), "listed below", "fail"))
    return found


_WORDS = ("PASS", "FAIL", "CANNOT-TELL", "UNKNOWN")


@dataclass(frozen=True)
class AccuracyView:
    """One accuracy.json: its rows, and slices where they were measured."""

    path: Path
    report: AccuracyReport
    rows: list[tuple[AccuracyRow, VerdictCell, DropInterval | None]]
    slices: list[tuple[str, str, str, DropInterval]]


def accuracy_view(path: Path, report: AccuracyReport) -> AccuracyView:
    """A row per artifact and metric; the verdict stands beside the metric it was made on."""
    rows: list[tuple[AccuracyRow, VerdictCell, DropInterval | None]] = []
    for row in report.rows:
        chip = verdict_cell(row.verdict)
        rows += [(row, chip, figures) for figures in row.figures] or [(row, chip, None)]
    slices = [(row.label, part.axis, part.name, part.figures) for row in report.rows for part in row.slices]
    return AccuracyView(path, report, rows, slices)


NOISE = 0.01
"""Twins were seen 0.7 % apart in one process, by where their memory lay; it is Criterion's threshold too."""


@dataclass(frozen=True)
class PairView:
    """An interleaved comparison in words and cells."""

    plot: str
    score: ComparisonScore
    sentence: str
    ratio: Cell
    wall_ratio: Cell
    cpu_ratio: Cell


def pair_view(index: int, score: ComparisonScore) -> PairView:
    """Says which is faster only when the whole interval is more than 1 % away from equal."""
    a, b = score.comparison.a.name, score.comparison.b.name
    low, high = score.ratio.low, score.ratio.high
    sentence = f"{a} and {b} cannot be told apart"
    if score.ratio.value and low is not None and high is not None:
        if high < 1 - NOISE:
            sentence = f"{b} takes {100 * (1 - score.ratio.value):.1f} % less time than {a}"
        elif low > 1 + NOISE:
            sentence = f"{b} takes {100 * (score.ratio.value - 1):.1f} % more time than {a}"
    return PairView(
        f"pairs-{index}",
        score,
        sentence,
        cell(score.ratio, 3),
        cell(score.wall_ratio, 3),
        cell(score.cpu_ratio, 3),
    )
