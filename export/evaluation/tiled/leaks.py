"""The leak check in front of an evaluation: what was trained on is not evaluated, unless somebody says so."""

from __future__ import annotations

from pathlib import Path

from deploy import console
from training.data.leaks.find import find_leaks
from training.data.leaks.report import ALLOW, FEWEST_NEGATIVES

UNCHECKED, LEAKED, FEW_NEGATIVES = "LEAKS-UNCHECKED", "LEAKED", "FEW-NEGATIVES"


def demand_no_leak(
    train: Path | None, data: Path, allowed: tuple[str, ...]
) -> tuple[tuple[str, ...], str | None]:
    """Taints of an evaluation, and in a sentence what leaks.

    Args:
        train: what was trained on; ``None`` where nobody said.
        data: what is evaluated.
        allowed: ``leak`` evaluates all the same.

    Raises:
        DeployError: ``LEAK`` (exit code INCOMPARABLE), and what reading raises.
    """
    if train is None:
        return (UNCHECKED,), None
    with console.progress(f"comparing with {train}", None) as bar:
        report = find_leaks(train, data, told=lambda done, before: bar.advance(done))
    report.refuse(allowed)
    for warning in report.warnings:
        console.note(warning)
    if not report.leaks:
        return (), None
    told = f"{len(report.leaks)} of {report.evaluation} evaluation pictures were seen in training."
    return (LEAKED,), f"{told} --allow {ALLOW} was given."


def few_negatives(negatives: int) -> tuple[str, ...]:
    """The taint of a set that shows too few empty pictures to count false alarms in."""
    return (FEW_NEGATIVES,) if negatives < FEWEST_NEGATIVES else ()
