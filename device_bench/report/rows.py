"""The cells of every table, once: terminal, Markdown and HTML print the same words."""

from __future__ import annotations

from deploy.contracts.accuracy import AccuracyReport, AccuracyRow
from deploy.contracts.verdict import Verdict
from device_bench.figures import Figure
from device_bench.score.model import ClipScore, ComparisonScore, Report, RunScore

RUN_COLUMNS = ("run", "accuracy", "p50 ms", "p99 ms", "FPS", "peak MB", "J&F", "excess flips")
CLIP_COLUMNS = ("run", "clip", "J&F", "J vs reference", "flips", "of reference", "of truth", "excess")
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
    found = verdict_of(report, score)
    run, latency = score.run, score.latency
    failed = f"FAILED {run.failure.id}" if run.failure else ""
    speed = (
        [short(latency.p50), short(latency.p99), short(latency.fps, 1)]
        if latency is not None
        else [failed or "UNKNOWN", "", ""]
    )
    return [
        score.title,
        verdict_text(found[1].verdict) if found else "UNKNOWN",
        *speed,
        reading(run.peak_memory_bytes.value, 1e-6, 0),
        short(mean_figure([clip.jf for clip in score.clips], score.clips_reason), 3),
        short(mean_figure([clip.excess for clip in score.clips], score.clips_reason), 4),
    ]


def mean_figure(figures: list[Figure], reason: str | None) -> Figure:
    """The one figure, or the plain mean over clips (without an interval); UNKNOWN keeps the first reason."""
    if len(figures) == 1:
        return figures[0]
    known = [figure.value for figure in figures if figure.value is not None]
    if len(known) < len(figures) or not figures:
        why = next((f.reason for f in figures if f.reason), None) or reason or "no clip was run"
        return Figure.unknown(why)
    return Figure(sum(known) / len(known))


def clip_cells(score: RunScore, clip: ClipScore) -> list[str]:
    """One row of the jitter table; quality stands first, because a frozen mask is perfectly steady."""
    return [
        score.title,
        clip.sequence,
        short(clip.jf, 3),
        short(clip.j_reference, 3).split("\n")[0],
        *(short(clip.flips[who], 4).split("\n")[0] for who in ("artifact", "reference", "truth")),
        short(clip.excess, 4),
    ]


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
    """Why each UNKNOWN is unknown: one line per run and reason."""
    lines: list[str] = []
    for score in report.runs:
        found = []
        if score.run.failure:
            found.append(f"{score.run.failure.id}: {score.run.failure.summary}")
        if verdict_of(report, score) is None:
            found.append("no accuracy.json names this model (make one with deploy verify)")
        if score.clips_reason:
            found.append(score.clips_reason)
        for clip in score.clips:
            figures = [clip.jf, clip.j_reference, clip.excess, *clip.flips.values()]
            found += [f"{clip.sequence}: {f.reason}" for f in figures if f.reason]
        for name, value in (
            ("memory", score.run.peak_memory_bytes),
            ("load", score.run.load_ns),
            ("first inference", score.run.first_inference_ns),
            ("energy", score.run.energy_uj),
        ):
            if value.reason:
                found.append(f"{name}: {value.reason}")
        lines += [f"{score.title}: {text}" for text in dict.fromkeys(found)]
    lines += [f"{pair.title}: {pair.ratio.reason}" for pair in report.comparisons if pair.ratio.reason]
    return lines
