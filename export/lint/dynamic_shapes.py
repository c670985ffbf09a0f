"""Shapes that are only known at run time: delegates refuse them, or plan for the worst."""

from __future__ import annotations

from typing import Any

from export.bisect.reference import module_of
from export.lint.files import doors
from export.lint.finding import Finding
from export.lint.subject import LintSubject


def check(subject: LintSubject) -> list[Finding]:
    """Doors of the program or file with open dimensions, and ops whose output size depends on the data."""
    found = [
        Finding(
            "DYNAMIC-INPUT",
            "warning",
            name,
            f"Its shape is {shape}: open dimensions keep the Neural Engine, NNAPI and XNNPACK out.",
            "Export with a fixed size, one file per size that the app needs.",
        )
        for name, shape in _open_inputs(subject)
    ]
    dependent = [node for node in subject.nodes if node.meta.get("unbacked_bindings")]
    return found + [
        Finding(
            "DATA-DEPENDENT-SHAPE",
            "error",
            node.name,
            f"How much {node.target} returns depends on the picture; no delegate can plan for that.",
            "Return a fixed number (top-k) and a mask, or select in the app.",
            module_of(node),
        )
        for node in dependent
    ]


def _open_inputs(subject: LintSubject) -> list[tuple[str, str]]:
    if subject.module is None:
        return [
            (spec.name, _text(spec.shape)) for spec in doors(subject) if any(size < 0 for size in spec.shape)
        ]
    placeholders = [node for node in subject.module.graph.nodes if node.op == "placeholder"]
    shapes = [(node.name, tuple(node.meta["val"].shape)) for node in placeholders if "val" in node.meta]
    return [
        (name, _text(shape)) for name, shape in shapes if not all(isinstance(size, int) for size in shape)
    ]


def _text(shape: tuple[Any, ...]) -> str:
    return "x".join("?" if isinstance(size, int) and size < 0 else str(size) for size in shape)
