"""The comparison of a ladder as one table for people and one document for machines."""

from __future__ import annotations

from pathlib import Path

from deploy import console
from training.ladder.climb import climb, to_json
from training.ladder.judge import Difference, Judgement
from training.ladder.plan import read_plan


def climb_and_show(task: str, file: Path, out: Path) -> None:
    """Climb, then say it."""
    judged = climb(task, file, out)
    plan = read_plan(file)
    figures = list(judged[0].figures)
    rows = [
        (each.name, *(_cell(each, figure) for figure in figures), each.verdict, each.against or "-")
        for each in judged
    ]
    title = f"{out}: {len(plan.seeds)} seeds a rung, change with its 95 % interval"
    console.table(title, ("rung", *figures, "verdict", "against"), rows)
    best = [each.name for each in judged if each.promotable][-1]
    commands = [f"deploy export {out}/{best}/seed-{plan.seeds[0]} --target all"]
    console.next_steps(commands)
    console.emit({**to_json(plan, judged), "next": commands})


def _cell(each: Judgement, figure: str) -> str:
    value = each.figures[figure]
    text = "null" if value is None else f"{value:.3f}"
    apart = each.differences.get(figure, Difference(None))
    if apart.mean is None:
        return text
    return f"{text} ({apart.mean:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}])"
