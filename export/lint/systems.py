"""Files and models that need a newer system, or another opset, than what they are meant for."""

from __future__ import annotations

from pathlib import Path

from export.bisect.reference import module_of
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations
from export.formats.coreml_systems import SYSTEMS
from export.lint.finding import Finding
from export.lint.onnx_file import invalid, opset_of
from export.lint.subject import LintSubject

_VERSIONS = {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}
"""Core ML specification versions, by the oldest system that reads them."""

_SINCE = {
    "constexpr_blockwise_shift_scale": ("iOS18", "block-wise or 4-bit weights"),
    "constexpr_lut_to_sparse": ("iOS18", "palettized sparse weights"),
    "scaled_dot_product_attention": ("iOS18", "fused attention"),
    "quantize": ("iOS17", "quantized activations"),
    "constexpr_lut_to_dense": ("iOS16", "palettized weights"),
    "constexpr_affine_dequantize": ("iOS16", "8-bit weights"),
}


def check(subject: LintSubject) -> list[Finding]:
    """A package against ``system``, an ONNX file against its own opset, attention against ``system``."""
    found: list[Finding] = []
    if (package := subject.to_file("coreml")) is not None:
        found += _package(package, subject.system)
    if (model := subject.to_file("onnx")) is not None and (complaint := invalid(model)) is not None:
        found.append(
            Finding(
                "OPSET-MISMATCH",
                "error",
                model.name,
                f"It is no valid model of its opset {opset_of(model)}: {complaint}",
                "Export it again at an opset that has the op and the dtype (4-bit weights need 21).",
            )
        )
    if "coreml" in subject.targets and _older(subject.system, "iOS18"):
        found += [
            Finding(
                "ATTENTION-UNFUSED",
                "note",
                node.name,
                f"Core ML has fused attention from iOS18; for {subject.system} it becomes two products and a "
                "softmax.",
                "Nothing, or ask for --coreml-target iOS18 if the app's oldest system allows.",
                module_of(node),
            )
            for node in subject.nodes
            if "scaled_dot_product_attention" in str(node.target)
        ]
    return found


def _package(package: Path, system: str) -> list[Finding]:
    spec = read_spec(package)
    needs = _VERSIONS.get(spec.specificationVersion)
    reasons = {op.type: _SINCE[op.type] for op in operations(spec) if op.type in _SINCE}
    if needs is None or not _older(system, needs):
        return []
    causes = [f"{what} ({op})" for op, (since, what) in reasons.items() if _older(system, since)]
    why = f" because of {', '.join(causes)}" if causes else ""
    return [
        Finding(
            "SYSTEM-TOO-NEW",
            "error",
            package.name,
            f"It needs {needs}{why}; {system} was asked for, and would refuse to load it.",
            f"Export it with --coreml-target {system}, or raise the app's oldest system to {needs}.",
        )
    ]


def _older(system: str, other: str) -> bool:
    return SYSTEMS.index(system) < SYSTEMS.index(other)
