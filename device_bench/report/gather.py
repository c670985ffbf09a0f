"""Find and read results, wherever they lie below what was named; a broken one becomes a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from deploy.contracts.accuracy import AccuracyReport
from deploy.errors import DeployError
from device_bench.comparison import COMPARISON, Comparison
from device_bench.plans import PLAN
from device_bench.score.model import Broken, ComparisonScore, Report, RunScore
from device_bench.score.pairs import score_comparison
from device_bench.score.runs import RUN, score_run

ACCURACY = "accuracy.json"
_DEPTH = 4


def gather(places: Iterable[Path], seed: int, told: Callable[[str], None]) -> Report:
    """Read every result at or below ``places``.

    Args:
        told: called with the name of what is being read.
    """
    runs: list[RunScore] = []
    comparisons: list[ComparisonScore] = []
    accuracy: list[tuple[Path, AccuracyReport]] = []
    broken: list[Broken] = []
    seen: set[Path] = set()
    for place in places:
        found = list(_documents(place, _DEPTH))
        if not found:
            broken.append(Broken(place, "NO-RESULTS", _emptiness(place)))
        for path in found:
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            told(f"reading {path.parent.name}")
            try:
                if path.name == RUN:
                    runs.append(score_run(path.parent, seed))
                elif path.name == COMPARISON:
                    comparisons.append(score_comparison(Comparison.load(path), path.parent, seed))
                else:
                    accuracy.append((path, AccuracyReport.load(path)))
            except DeployError as error:
                broken.append(Broken(path.parent, error.error_id, error.summary))
            except Exception as error:  # a report of nine good runs must not die of the tenth
                broken.append(Broken(path.parent, "UNREADABLE", f"{type(error).__name__}: {error}"))
    return Report(tuple(_shortened(runs)), tuple(comparisons), tuple(accuracy), tuple(broken))


def _shortened(runs: list[RunScore]) -> list[RunScore]:
    """Names without what all runs share: ``net-onnx-fp16-desktop`` becomes ``onnx-fp16`` among its like."""
    kinds = {run.run.device.platform for run in runs}
    models = {run.plan.artifact for run in runs}
    names = [run.name for run in runs]
    if len(kinds) == 1:
        names = [re.sub(rf"-{re.escape(next(iter(kinds)))}(?=(-\d+)?$)", "", name) for name in names]
    if len(models) == 1 and len(runs) > 1:
        names = [name.removeprefix(f"{next(iter(models))}-") for name in names]
    if len(set(names)) < len({run.name for run in runs}):
        return runs
    return [replace(run, shown_as=name) for run, name in zip(runs, names, strict=True)]


def _documents(place: Path, depth: int) -> Iterator[Path]:
    """Documents to read: the file itself, a folder's own, or those of its sub-folders."""
    if place.is_file():
        if place.suffix == ".json":
            yield place
        return
    own = [place / name for name in (RUN, COMPARISON, ACCURACY) if (place / name).is_file()]
    if (place / PLAN).is_file() and place / RUN not in own:
        own.append(place / RUN)  # a results folder whose run was lost: reading it will say so
    yield from own
    if place / RUN in own or depth == 0 or not place.is_dir():
        return  # what lies inside a run, such as its reference, is part of it
    for child in sorted(place.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            yield from _documents(child, depth - 1)


def _emptiness(place: Path) -> str:
    if not place.exists():
        return f"{place} does not exist."
    return f"{place} holds no {RUN}, {COMPARISON} or {ACCURACY}."
