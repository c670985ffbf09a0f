"""Non-maximum suppression inside the model: it runs on the CPU, and its output changes size."""

from __future__ import annotations

from export.bisect.reference import module_of
from export.lint.files import op_types
from export.lint.finding import Finding
from export.lint.subject import LintSubject

_WORDS = ("nms", "non_max_suppression", "nonmaxsuppression", "non_maximum_suppression")


def check(subject: LintSubject) -> list[Finding]:
    """Nodes of the program, or ops of the file, that suppress."""
    places = [(node.name, str(node.target), module_of(node)) for node in subject.nodes]
    if not places:
        places = [(name, kind, None) for name, kind in op_types(subject)]
    return [
        Finding(
            "NMS-IN-GRAPH",
            "warning",
            name,
            "Non-maximum suppression inside the model runs on the CPU, splits the graph there, and demands "
            "fp32; XNNPACK and the Neural Engine do not have it.",
            "Export the head's raw output: the decode block suppresses in the app, the same on every phone.",
            module,
        )
        for name, kind, module in places
        if any(word in kind.lower() for word in _WORDS)
    ]
