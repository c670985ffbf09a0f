"""Float32 Core ML programs: the Neural Engine computes in fp16 and leaves them alone."""

from __future__ import annotations

from export.formats.coreml_proof import prove_coreml
from export.lint.finding import Finding
from export.lint.subject import LintSubject


def check(subject: LintSubject) -> list[Finding]:
    """A package most of whose ops compute in float32."""
    package = subject.to_file("coreml")
    if package is None:
        return []
    ops = prove_coreml(package).ops
    wide, half = ops.get("float32", 0), ops.get("float16", 0)
    if wide <= half:
        return []
    return [
        Finding(
            "FP32-BARS-ANE",
            "warning",
            package.name,
            f"{wide} of its {wide + half} float ops compute in float32; the Neural Engine runs fp16 only, so "
            "it stays on CPU and GPU.",
            "Export at fp16 for phones: deploy export MODEL --target coreml --precision fp16",
        )
    ]
