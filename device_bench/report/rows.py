"""The cells of every table, once: terminal, Markdown and HTML print the same words."""

from __future__ import annotations

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
from deploy.contracts.verdict import Verdict
from device_bench.figures import Figure, fixed
from device_bench.report.ranks import Group, Row, groups, mean_figure, mean_rows, steady_figure
from device_bench.score.model import ComparisonScore, Report, RunScore

RUN_COLUMNS = ("run", "accuracy", "p50 ms", "p99 ms", "FPS", "peak MB", "steady J&F", "J&F", "excess flips")
CLIP_COLUMNS = (
    "clip",
    "masks",
    "steady J&F",
    "J&F",
    "J",
    "F",
    "flips",
    "excess flips",
    "J vs reference",
)
CLIP_TITLE = "Mask steadiness, best first"
CLIP_LEAD = (
    "steady J&F: J&F times the share of boundary that flips no more than the truth's (or the reference's, "
    "where there is no truth). Excess: flips beyond those of the fp32 reference."
)
ACCURACY_COLUMNS = ("artifact", "verdict", "metric", "reference", "value", "drop", "agreement", "MB")
PAIR_COLUMNS = ("comparison", "B over A", "by", "wall ratio", "CPU ratio", "A ms", "B ms", "pairs")


def short(figure: Figure, digits: int | None = None) -> str:
    """The value, with its interval on a line of its own where it has one, or UNKNOWN."""
    return "UNKNOWN" if figure.value is None else figure.text(digits).replace(" [", "\n[")


def reading(value: int | None, factor: float, digits: int = 1) -> str:
    """A raw integer reading in a larger unit."""
    return "UNKNOWN" if value is None else f"{value * factor:.{digits}f}"


def verdict_of(report: Report, score: RunScore) -> tuple[AccuracyReport, AccuracyRow] | None:
    """The accuracy row of the very same model bytes, from whichever accuracy.json holds it."""
    for _, accuracy in report.accuracy:
        for row in accuracy.rows:
            if row.model_sha256 == score.plan.model_sha256:
                return accuracy, row
    return None


def reference_figures(report: Report, score: RunScore) -> list[tuple[str, float]] | None:
    """Metric and value of a run of the fp32 reference itself, its primary metric first."""
    for _, accuracy in report.accuracy:
        if accuracy.reference_sha256 == score.plan.model_sha256:
            measured = next((row.figures for row in accuracy.rows if row.figures), ())
            first = sorted(measured, key=lambda figure: figure.metric != accuracy.primary_metric)
            return [(figure.metric, figure.reference) for figure in first]
    return None


def accuracy_text(report: Report, score: RunScore) -> str:
    """The verdict on the run's file; the reference says that it is what the others are compared with."""
    found = verdict_of(report, score)
    if found is not None:
        return verdict_text(found[1].verdict)
    figures = reference_figures(report, score)
    if figures is None:
        return "UNKNOWN"
    return f"the reference\n{figures[0][0]} {figures[0][1]:.4f}" if figures else "the reference"


def verdict_text(verdict: Verdict) -> str:
    """The word, and for CANNOT-TELL how many samples would settle it."""
    if verdict.outcome == "CANNOT-TELL" and verdict.samples_needed:
        return f"CANNOT-TELL (needs {verdict.samples_needed} samples)"
    return verdict.outcome


def run_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the summary; without any accuracy.json its column is left out."""
    rows = [run_cells(report, score) for score in report.runs]
    if report.accuracy:
        return list(RUN_COLUMNS), rows
    at = RUN_COLUMNS.index("accuracy")
    return [*RUN_COLUMNS[:at], *RUN_COLUMNS[at + 1 :]], [[*row[:at], *row[at + 1 :]] for row in rows]


def run_cells(report: Report, score: RunScore) -> list[str]:
    """One row of the summary, in the order of ``RUN_COLUMNS``."""
    run, latency = score.run, score.latency
    failed = f"FAILED {run.failure.id}" if run.failure else ""
    speed = (
        [short(latency.p50), short(latency.p99), short(latency.fps, 1)]
        if latency is not None
        else [failed or "UNKNOWN", "", ""]
    )
    return [
        score.title,
        accuracy_text(report, score),
        *speed,
        reading(run.peak_memory_bytes.value, 1e-6, 0),
        steady_text(score),
        plain(mean_figure([clip.artifact.jf for clip in score.clips], score.clips_reason), 3),
        plain(mean_figure([clip.excess for clip in score.clips], score.clips_reason), 4),
    ]


def steady_text(score: RunScore) -> str:
    """``steady J&F``; says so where it goes by the reference, because there are no true masks."""
    figure = steady_figure(score)
    by_reference = figure.value is not None and score.clips[0].against == "reference"
    return short(figure, 3) + ("\nvs reference" if by_reference else "")


def clip_table(report: Report) -> list[list[str]]:
    """All rows of the steadiness table, clip by clip and ranked inside each; the means stand last."""
    found = groups(report)
    rows = [
        clip_cells(name, row) for name, group in zip(_names(found), found, strict=True) for row in group.rows
    ]
    return rows + [clip_cells(f"mean of {len(found)}", row) for row in mean_rows(found)]


def clip_cells(clip: str, row: Row) -> list[str]:
    """One row; quality stands first, because a frozen mask is perfectly steady."""
    masks = row.masks
    steady = short(masks.steady_jf, 3) if row.run else plain(masks.steady_jf, 3)
    return [
        clip,
        row.title,
        steady,
        plain(masks.jf, 3),
        plain(masks.j, 3),
        plain(masks.f, 3),
        plain(masks.flips, 4),
        short(row.excess, 4) if row.excess else "",
        plain(row.likeness, 4) if row.likeness else "",
    ]


def _names(found: list[Group]) -> list[str]:
    """Sequences, with their mask classes only where two would be called the same."""
    sequences = [group.clip.sequence for group in found]
    once = len(set(sequences)) == len(sequences)
    return sequences if once else [group.name for group in found]


BRIEF_COLUMNS = ("masks", "steady J&F", "J&F", "J", "F", "flips", "excess flips")


def brief_clip_table(report: Report) -> list[list[str]]:
    """The same rows for a narrow terminal: clips as headings, fewer intervals."""
    found = groups(report)
    parts = [(name, list(group.rows)) for name, group in zip(_names(found), found, strict=True)]
    means = mean_rows(found)
    lines: list[list[str]] = []
    for name, rows in [*parts, (f"mean of {len(found)} clips", means)] if means else parts:
        lines.append([f"{name}:", *[""] * (len(BRIEF_COLUMNS) - 1)])
        for row in rows:
            _, title, *figures, excess, _ = clip_cells(name, row)
            lines.append([f"  {title}", *figures, excess.split("\n")[0]])
    return lines


def plain(figure: Figure, digits: int) -> str:
    """The value alone."""
    return "UNKNOWN" if figure.value is None else fixed(figure.value, digits)


def accuracy_cells(row: AccuracyRow) -> list[list[str]]:
    """A row per metric; an unmeasured artifact is one row with its reason."""
    megabytes = f"{row.model_bytes / 1e6:.1f}"
    if not row.figures:
        return [[row.label, f"UNKNOWN ({row.reason or row.verdict.reason})", "", "", "", "", "", megabytes]]
    agreement = "UNKNOWN" if row.agreement is None else f"{row.agreement:.4f}"
    return [
        [
            row.label,
            verdict_text(row.verdict) if figure.metric == row.verdict.metric else "",
            figure.metric,
            f"{figure.reference:.4f}",
            f"{figure.value:.4f}",
            f"{figure.drop:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]",
            agreement,
            megabytes,
        ]
        for figure in row.figures
    ]


def pair_cells(score: ComparisonScore) -> list[str]:
    """One row per interleaved comparison."""
    return [
        score.title,
        short(score.ratio, 3),
        f"{score.basis} time",
        short(score.wall_ratio, 3),
        short(score.cpu_ratio, 3),
        short(score.a_ms),
        short(score.b_ms),
        str(len(score.ratios)),
    ]


def reasons(report: Report) -> list[str]:
    """Why each UNKNOWN is unknown: one line per reason, naming the runs and clips it holds for."""
    named: dict[str, list[str]] = {}
    for score in report.runs:
        for text in dict.fromkeys(_reasons_of(report, score)):
            named.setdefault(text, []).append(score.title)
    lines = []
    for text, titles in named.items():
        everyone = len(titles) == len(report.runs) > 1
        lines.append(f"{'all runs' if everyone else ', '.join(titles)}: {text}")
    lines += [f"{pair.title}: {pair.ratio.reason}" for pair in report.comparisons if pair.ratio.reason]
    return lines


def _reasons_of(report: Report, score: RunScore) -> list[str]:
    found = []
    if score.run.failure:
        found.append(f"{score.run.failure.id}: {score.run.failure.summary}")
    known = verdict_of(report, score) is not None or reference_figures(report, score) is not None
    if not known:
        found.append("no accuracy.json names this model (make one with deploy verify)")
    if score.clips_reason:
        found.append(score.clips_reason)
    clips: dict[str, list[str]] = {}
    for clip in score.clips:
        own = clip.artifact
        figures = [own.steady_jf, own.jf, own.flips, clip.j_reference, clip.excess, clip.truth.flips]
        for reason in dict.fromkeys(figure.reason for figure in figures if figure.reason):
            clips.setdefault(reason, []).append(clip.sequence)
    found += [f"{', '.join(names)}: {reason}" for reason, names in clips.items()]
    for name, value in (
        ("memory", score.run.peak_memory_bytes),
        ("load", score.run.load_ns),
        ("first inference", score.run.first_inference_ns),
        ("energy", score.run.energy_uj),
    ):
        if value.reason:
            found.append(f"{name}: {value.reason}")
    return found
