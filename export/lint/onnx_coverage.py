"""How phones' accelerators would cut an ONNX graph, by ONNX Runtime's own checker."""

from __future__ import annotations

from export.lint.finding import Finding
from export.lint.onnx_file import Partitions, graph_of, load, partitions
from export.lint.subject import LintSubject

_MANY = 5
_SHARE = 0.8


def check(subject: LintSubject) -> list[Finding]:
    """NNAPI's and Core ML's share of the file, or of the program as it would be exported."""
    if "onnx" not in subject.targets or (subject.file is not None and subject.target != "onnx"):
        return []
    if (model := subject.to_file("onnx")) is not None:
        found = partitions(load(model))
    elif subject.program is not None:
        found = partitions(graph_of(subject.program))
    else:
        return []
    return [_finding(each) for each in found if each.partitions != 1 or each.supported < each.total]


def _finding(cut: Partitions) -> Finding:
    share = cut.supported / cut.total if cut.total else 0.0
    poor = cut.partitions > _MANY or share < _SHARE
    lacking = f"; it lacks {', '.join(cut.unsupported)}" if cut.unsupported else ""
    return Finding(
        "ONNX-PARTITIONS",
        "warning" if poor else "note",
        f"ONNX Runtime's {cut.provider} provider",
        f"It would take {cut.supported} of {cut.total} nodes ({share:.0%}) in {cut.partitions} partitions"
        f"{lacking}.",
        "Every border costs a copy: run it on the CPU provider, or replace what is lacking."
        if poor
        else "Nothing; measure it with: deploy bench",
    )
