"""Ops that coremltools cannot convert."""

from __future__ import annotations

from export.bisect.reference import module_of
from export.formats.coreml_ops import without_converter
from export.lint.finding import Finding
from export.lint.subject import LintSubject


def check(subject: LintSubject) -> list[Finding]:
    """One finding per kind of op, at its first node."""
    if "coreml" not in subject.targets or subject.program is None or subject.file is not None:
        return []
    program = subject.program.run_decompositions({})  # as the target does: composite ops become their parts
    nodes = [n for n in program.graph.nodes if n.op == "call_function" and not _is_plumbing(n.target)]
    lacking = without_converter({str(node.target) for node in nodes})
    found = []
    for kind in sorted(lacking):
        places = [node for node in nodes if str(node.target) == kind]
        found.append(
            Finding(
                "COREML-NO-CONVERTER",
                "error",
                places[0].name,
                f"coremltools has no converter for {kind} ({len(places)} of them).",
                "Write the layer with other ops, or leave it out of the exported part and do it in the app.",
                module_of(places[0]),
            )
        )
    return found


def _is_plumbing(target: object) -> bool:
    """Whether a node is plumbing of the capture (``getitem`` of a tuple), which is no op to a converter."""
    return getattr(target, "__module__", "") == "_operator"
