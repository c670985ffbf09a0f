"""Climb a ladder: train what is missing, evaluate what is new, judge rung by rung."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import console
from deploy.errors import DeployError
from deploy.store import read_json, write_json
from training.ladder.judge import Figures, Judgement, judge
from training.ladder.plan import LadderPlan, Rung, merged, read_plan
from training.run import train

_PLAN, _TABLE, _FIGURES = "ladder.json", "comparison.json", "figures.json"


def climb(task: str, file: Path, out: Path) -> list[Judgement]:
    """Train, evaluate and judge every rung; what an earlier call finished is not done again.

    A rung stands on the last promotable one: its settings are that one's and its own.

    Args:
        task: ``promptable_masks``.
        file: the ladder.
        out: a folder; runs go to ``RUNG/seed-N``, the table to ``comparison.json``.

    Raises:
        DeployError: ``LADDER-TASK``, ``LADDER-CHANGED``, and what reading, training and evaluating raise.
    """
    if task != "promptable_masks":
        raise DeployError(
            "LADDER-TASK",
            f"A ladder judges by prompts, and {task} answers none.",
            f"Type: deploy train promptable_masks --ladder {file}",
        )
    plan = read_plan(file)
    _pin(plan, file, out)
    settings, options = dict(plan.settings), dict(plan.options)
    below: tuple[str, list[Figures]] | None = None
    judged: list[Judgement] = []
    for rung in plan.rung:
        tried = merged(settings, rung.settings), merged(options, rung.options)
        runs = [_figures(task, plan, rung, seed, tried, out) for seed in plan.seeds]
        judged.append(judge(plan, rung.name, runs, below))
        if judged[-1].promotable:
            (settings, options), below = tried, (rung.name, runs)
        console.note(f"{rung.name}: {judged[-1].verdict}")
    write_json(out / _TABLE, to_json(plan, judged))
    return judged


def to_json(plan: LadderPlan, judged: list[Judgement]) -> dict[str, Any]:
    """The comparison as plain JSON types."""
    return {
        "primary": plan.primary,
        "seeds": list(plan.seeds),
        "rungs": [
            {
                "name": each.name,
                "against": each.against,
                "figures": each.figures,
                "differences": {
                    name: {"mean": apart.mean, "low": apart.low, "high": apart.high}
                    for name, apart in each.differences.items()
                },
                "verdict": each.verdict,
                "promotable": each.promotable,
            }
            for each in judged
        ],
    }


def _figures(
    task: str,
    plan: LadderPlan,
    rung: Rung,
    seed: int,
    tried: tuple[Mapping[str, Any], Mapping[str, Any]],
    out: Path,
) -> Figures:
    """Figures of one run on held-out pictures, trained and evaluated unless that was done already."""
    folder = out / rung.name / f"seed-{seed}"
    console.note(f"{rung.name}, seed {seed}")
    done = train(task, folder, {**tried[0], "seed": seed, "options": dict(tried[1])}, resume=True)
    kept = folder / _FIGURES
    if kept.is_file() and read_json(kept)["weights_sha256"] == done.checkpoint.weights_sha256:
        return dict(read_json(kept)["figures"])
    figures = _evaluate(folder, plan.pictures, done.checkpoint.data, tried[1].get("names"))
    facts = {"weights_sha256": done.checkpoint.weights_sha256, "figures": figures}
    write_json(kept, facts)
    return figures


def _evaluate(folder: Path, pictures: int, data: str, names: str | None) -> dict[str, float | None]:
    """All text figures of a run, by name."""
    from training.evaluation.open_answerers import open_contestants, open_judged_world
    from training.evaluation.promptable import Settings, evaluate

    known = None if names is None else Path(names)
    world = open_judged_world(Path(data), known, whole=False, limit=pictures)
    contestants = open_contestants([folder], None, world)
    report = evaluate(world, contestants, Settings(limit=pictures, replicates=50), where=data).report
    row = next(each for each in report.rows if each.role == "student")
    return {figure.metric: figure.value for figure in row.figures if figure.kind == "text"}


def _pin(plan: LadderPlan, file: Path, out: Path) -> None:
    """One folder, one ladder; raises ``LADDER-CHANGED``."""
    path = out / _PLAN
    if not path.is_file():
        write_json(path, plan.to_json())
    elif LadderPlan(**read_json(path)) != plan:
        raise DeployError(
            "LADDER-CHANGED",
            f"{out} was begun with another ladder than {file} says now.",
            "Choose another --out, or put the file back as it was.",
        )
