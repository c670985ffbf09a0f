"""Results on the terminal, and as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import console
from device_bench.comparison import Comparison
from device_bench.report.advice import advice
from device_bench.report.provenance import stages_text
from device_bench.report.rows import (
    ACCURACY_COLUMNS,
    BRIEF_COLUMNS,
    CLIP_LEAD,
    CLIP_TITLE,
    PAIR_COLUMNS,
    accuracy_cells,
    brief_clip_table,
    pair_cells,
    reasons,
    run_table,
)
from device_bench.score.model import (
    ClipScore,
    ComparisonScore,
    LatencyScore,
    MaskScore,
    Report,
    RunScore,
)

if TYPE_CHECKING:
    from device_bench.session import Outcome


def show_report(report: Report) -> None:
    """Every table that has rows, then the reasons of what is unknown; JSON under --json."""
    _show_runs(report)
    if report.comparisons:
        console.table("Interleaved", PAIR_COLUMNS, [pair_cells(score) for score in report.comparisons])
    for path, accuracy in report.accuracy:
        rows = [cells for row in accuracy.rows for cells in accuracy_cells(row)]
        console.table(f"Accuracy on {accuracy.data.path} ({path})", ACCURACY_COLUMNS, rows)
    if report.broken:
        rows = [[str(row.path), row.error, row.summary] for row in report.broken]
        console.table("Unreadable", ["path", "error", "what is wrong"], rows)
    for line in [*reasons(report), *advice_of(report)]:
        console.say(f"· {line}")
    console.emit(to_json(report))


def advice_of(report: Report) -> list[str]:
    """What to do about the taints of runs and comparisons."""
    runs = [(score.name, score.taints) for score in report.runs]
    return advice([*runs, *((pair.folder.name, pair.comparison.taints) for pair in report.comparisons)])


def _show_runs(report: Report) -> None:
    """The summary, and the steadiness table where masks were made."""
    if report.runs:
        models = sorted({score.plan.artifact for score in report.runs})
        console.table(f"Runs of {models[0]}" if len(models) == 1 else "Runs", *run_table(report))
    for score in report.runs:
        if score.latency is not None and score.latency.stages:
            whole = f"the whole frame {score.latency.frame.value or 0:.2f} ms"
            console.say(f"{score.title}: {stages_text(score.latency)}; {whole} (medians)")
    clips = brief_clip_table(report)
    if clips:
        console.table(CLIP_TITLE, BRIEF_COLUMNS, clips)
        console.say(CLIP_LEAD)


def show_outcomes(outcomes: Sequence[Outcome]) -> None:
    """The table after a bench: a row for every artifact, measured or not."""
    from device_bench.report.gather import gather

    folders = [outcome.folder for outcome in outcomes if outcome.folder is not None]
    report = gather(folders, 0, lambda _: None)
    _show_runs(report)
    problems = [outcome for outcome in outcomes if outcome.problem is not None]
    if problems:
        refused_rows = [
            [outcome.source.name, outcome.problem.error_id, outcome.problem.summary, outcome.problem.remedy]
            for outcome in problems
            if outcome.problem is not None
        ]
        console.table("Not measured", ["artifact", "error", "reason", "what to do"], refused_rows)
    for score in report.runs:
        if score.run.failure is not None:
            console.note(f"{score.title}: {score.run.failure.id}: {score.run.failure.summary}")
    for line in advice_of(report):
        console.note(f"! {line}")
    refused = [
        {"artifact": str(outcome.source), **outcome.problem.to_dict()}
        for outcome in problems
        if outcome.problem is not None
    ]
    console.emit({**to_json(report), "refused": refused})


def show_comparison(comparison: Comparison, folder: Path) -> None:
    """The table after an interleaved bench."""
    from device_bench.score.pairs import score_comparison

    score = score_comparison(comparison, folder, comparison.seed)
    console.table("Interleaved", PAIR_COLUMNS, [pair_cells(score)])
    report = Report(comparisons=(score,))
    for line in advice_of(report):
        console.note(f"! {line}")
    console.say(f"Raw pairs: {folder}")
    console.emit(to_json(report))


_MASK_FIGURES = ("steady_jf", "jf", "j", "f", "flips", "acceleration", "lag")
_ADDED_FIGURES = ("j_reference", "excess", "excess_acceleration")


def to_json(report: Report) -> dict[str, Any]:
    """Figures with intervals and reasons; raw samples stay in the results folders."""
    return {
        "runs": [_run(report, score) for score in report.runs],
        "comparisons": [_pairs(score) for score in report.comparisons],
        "accuracy": [accuracy.to_json() for _, accuracy in report.accuracy],
        "broken": [
            {"path": str(row.path), "error": row.error, "summary": row.summary} for row in report.broken
        ],
    }


def _run(report: Report, score: RunScore) -> dict[str, Any]:
    run = score.run
    return {
        "folder": str(score.folder),
        "title": score.title,
        "taints": list(score.taints),
        "status": run.status,
        "failure": run.failure.to_json() if run.failure else None,
        "target": score.plan.target,
        "precision": score.plan.precision,
        "model_sha256": score.plan.model_sha256,
        "load_ns": run.load_ns.to_json(),
        "first_inference_ns": run.first_inference_ns.to_json(),
        "peak_memory_bytes": run.peak_memory_bytes.to_json(),
        "memory_kind": run.memory_kind,
        "energy_uj": run.energy_uj.to_json(),
        "steady": run.warm_up.steady if run.warm_up else None,
        "latency_ms": _latency(score.latency) if score.latency else None,
        "clips": [_clip(clip) for clip in score.clips],
        "clips_reason": score.clips_reason,
    }


def _latency(score: LatencyScore) -> dict[str, Any]:
    names = ("p50", "p90", "p99", "pre", "post", "frame", "fps", "wall_over_cpu")
    figures = {name: getattr(score, name).to_json() for name in names}
    stages = {name: figure.to_json() for name, figure in score.stages.items()}
    return {"samples": score.samples, **figures, **({"stages": stages} if stages else {})}


def _clip(clip: ClipScore) -> dict[str, Any]:
    return {
        "sequence": clip.sequence,
        "frames": clip.frames,
        "against": clip.against,
        **{who: _masks(getattr(clip, who)) for who in ("artifact", "reference", "truth")},
        **{name: getattr(clip, name).to_json() for name in _ADDED_FIGURES},
    }


def _masks(masks: MaskScore) -> dict[str, Any]:
    return {name: getattr(masks, name).to_json() for name in _MASK_FIGURES}


def _pairs(score: ComparisonScore) -> dict[str, Any]:
    return {
        "folder": str(score.folder),
        "title": score.title,
        "a": score.comparison.a.to_json(),
        "b": score.comparison.b.to_json(),
        "taints": list(score.comparison.taints),
        "basis": score.basis,
        "ratio": score.ratio.to_json(),
        "wall_ratio": score.wall_ratio.to_json(),
        "cpu_ratio": score.cpu_ratio.to_json(),
        "a_ms": score.a_ms.to_json(),
        "b_ms": score.b_ms.to_json(),
        "pairs": len(score.ratios),
    }
