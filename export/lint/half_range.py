"""Values that fp16 cannot hold: too large for it, or so small that most of them become zero."""

from __future__ import annotations

from export.bisect.reference import module_of
from export.lint.finding import Finding
from export.lint.subject import LintSubject
from export.overflow import FP16_MAX

_MASSIVE = 0.5
_SMALL_BY_NATURE = ("sigmoid", "softmax", "exp")


def check(subject: LintSubject) -> list[Finding]:
    """Nodes beyond 65,504 on the samples, and nodes that lose more than half of their values to zero."""
    found = []
    for node in subject.nodes:
        seen = subject.ranges.get(node.name)
        if seen is None:
            continue
        if seen.largest > FP16_MAX:
            found.append(
                Finding(
                    "FP16-OVERFLOW",
                    "error",
                    node.name,
                    f"It reaches {seen.largest:.4g} on real samples; fp16 ends at {FP16_MAX:.0f}, where it "
                    "becomes infinite.",
                    "Divide earlier, or normalise before squaring or summing. deploy export keeps it fp32 "
                    "in the file, but a phone's GPU or Neural Engine may still compute in fp16.",
                    module_of(node),
                )
            )
        elif seen.nonzero and seen.vanishing > _MASSIVE * seen.nonzero:
            natural = any(name in str(node.target) for name in _SMALL_BY_NATURE)
            found.append(
                Finding(
                    "FP16-UNDERFLOW",
                    "note" if natural else "warning",
                    node.name,
                    f"{seen.vanishing / seen.nonzero:.0%} of its values on real samples are below "
                    "3e-8 and become zero in fp16.",
                    "Scale it up before it is used, or export at fp32."
                    if not natural
                    else "Nothing, as long as only large values of it count.",
                    module_of(node),
                )
            )
    return found
