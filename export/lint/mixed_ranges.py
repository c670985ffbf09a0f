"""Concatenations of values that live on different scales: one int8 scale cannot serve boxes and scores."""

from __future__ import annotations

from typing import Any

from export.bisect.reference import module_of
from export.lint.finding import Finding
from export.lint.subject import LintSubject, Range

RATIO = 16.0
_STEPS = 127.0
"""Steps of a symmetric int8 scale: beyond this ratio the smaller input has not even one."""


def check(subject: LintSubject) -> list[Finding]:
    """Every ``cat`` whose inputs' largest values differ by more than 16 times on the samples."""
    found = []
    for node in subject.nodes:
        if not str(node.target).startswith("aten.cat"):
            continue
        inputs: Any = node.args[0]
        ranges = {each.name: subject.ranges[each.name] for each in inputs if each.name in subject.ranges}
        sizes = {name: each.largest for name, each in ranges.items() if each.largest > 0}
        if len(sizes) < 2 or max(sizes.values()) <= RATIO * min(sizes.values()):
            continue
        ratio = max(sizes.values()) / min(sizes.values())
        left = _STEPS / ratio
        what = f"keeps {left:.0f} of 127 steps" if left >= 1 else "is rounded to zero"
        found.append(
            Finding(
                "MIXED-RANGES",
                "error" if left < 1 else "warning",
                node.name,
                f"It joins {_list(ranges)} into one tensor. With one 8-bit scale for it, "
                f"{min(sizes, key=lambda name: sizes[name])} {what} (ratio {ratio:.0f}).",
                "For int8: give these as outputs of their own, or bring them to one scale (boxes / image "
                "size) before joining. deploy export keeps ops behind the last weights in float.",
                module_of(node),
            )
        )
    return found


def _list(ranges: dict[str, Range]) -> str:
    return ", ".join(f"{name} {each.low:.3g}..{each.high:.3g}" for name, each in ranges.items())
