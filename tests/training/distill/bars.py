"""The bars of promptable training on the world of shapes: ``python -m tests.training.distill.bars FOLDER``.

Three seeds from the truth (900 steps), a teacher (600 steps) and three seeds distilled from it, all judged on
held-out pictures by the evaluator of ``deploy verify``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from training.data.prompted_shapes import PromptedShapes
from training.evaluation.open_answerers import open_contestants, open_judged_world
from training.evaluation.promptable import Settings, evaluate
from training.run import train

SEEDS = (0, 1, 2)
TEACHER: dict[str, Any] = {
    "epochs": 6,
    "options": {"width": 48, "widths": (24, 48, 64, 96), "tokenizer": "words"},
}
FROM_TRUTH = {"presence_F1": 0.80, "IL_MCC": 0.70, "sensitivity": 0.08, "selectivity": 0.50}
DISTILLED = {"presence_F1": 0.75, "IL_MCC": 0.60, "selectivity": 0.40}
OF_TEACHER = 0.85
"""Least mIoU of a distilled student as a share of its teacher's."""


def figures(run: Path) -> dict[str, float | None]:
    """Text figures of a run on 200 held-out pictures."""
    world = open_judged_world(None, None, whole=False, limit=None)
    assert isinstance(world, PromptedShapes)
    report = evaluate(world, open_contestants([run], None, world), Settings(replicates=20)).report
    row = next(each for each in report.rows if each.role == "student")
    return {figure.metric: figure.value for figure in row.figures if figure.kind == "text"}


def measure(root: Path, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Train (or go on with) a run, and judge it."""
    started = time.monotonic()
    train("promptable_masks", root / name, asked, resume=True)
    return {"name": name, "seconds": round(time.monotonic() - started, 1), **figures(root / name)}


def judged(name: str, found: dict[str, Any], teacher: dict[str, Any]) -> list[tuple[str, bool]]:
    """A line for every bar of a run, and whether it is cleared; none for a teacher."""
    if name == "teacher":
        return []
    bars = dict(FROM_TRUTH if name.startswith("truth") else DISTILLED)
    if name.startswith("distilled"):
        bars["mIoU"] = OF_TEACHER * float(teacher["mIoU"])
    return [
        (f"{name} {metric} {found[metric]}, at least {bar:.3f}", (found[metric] or 0.0) >= bar)
        for metric, bar in bars.items()
    ]


def main(root: Path) -> int:
    """One JSON line a run, and a line a bar; 1 when a bar is missed."""
    rows: list[tuple[str, dict[str, Any]]] = [("teacher", TEACHER)]
    rows += [(f"truth-{seed}", {"seed": seed}) for seed in SEEDS]
    taught = {"teacher": f"run:{root}/teacher"}
    rows += [(f"distilled-{seed}", {"seed": seed, "options": taught}) for seed in SEEDS]
    missed, teacher = 0, dict[str, Any]()
    for name, asked in rows:
        found = measure(root, name, asked)
        teacher = teacher or found
        sys.stdout.write(json.dumps(found) + "\n")
        for line, passed in judged(name, found, teacher):
            sys.stdout.write(f"{'ok    ' if passed else 'MISSED'}  {line}\n")
            missed += not passed
        sys.stdout.flush()
    sys.stdout.write(f"{missed} bars missed\n" if missed else "every bar is cleared\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
