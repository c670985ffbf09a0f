"""Refuse a file whose contents contradict its label."""

from __future__ import annotations

from deploy.contracts.artifact import PrecisionProof
from deploy.errors import DeployError
from export.precisions import PRECISIONS

_WHOLE = 0.9
_WITH_WIDE_OPS = 0.5
_NARROW = ("int8", "uint8", "uint6", "int4", "uint4", "uint3", "uint2", "uint1")
QUANTIZED_OPS = ("int8", "uint8")
"""Compute dtypes of an op that takes and gives quantized activations."""


def share_of_label(proof: PrecisionProof, precision: str) -> float | None:
    """Share of the weight bytes that have one of the label's dtypes, integer tables and biases aside.

    Falls back to the share of ops for a file without stored weights; ``None`` when it has neither.
    """
    for counted in (proof.weight_bytes, proof.ops):
        known = {
            name: amount for name, amount in counted.items() if name.startswith("float") or name in _NARROW
        }
        total = sum(known.values())
        if total:
            return sum(known.get(name, 0) for name in PRECISIONS[precision].weights) / total
    return None


def demand_label(proof: PrecisionProof, precision: str, target: str) -> None:
    """Raise ``PRECISION-MISMATCH`` unless the file is what its label says.

    At least 90 % of the weight bytes must have the label's dtype (half, where an fp16 or auto file lists ops
    that had to stay wide); where the label promises quantized activations, ops must compute on them.
    """
    share = share_of_label(proof, precision)
    label = PRECISIONS[precision]
    may_be_mixed = proof.wide_ops and (precision == "auto" or not label.quantized)
    needed = _WITH_WIDE_OPS if may_be_mixed else _WHOLE
    if share is not None and share < needed:
        contents = ", ".join(f"{amount} bytes {name}" for name, amount in proof.weight_bytes.items())
        raise _mismatch(
            f"only {share:.0%} of its weights are {label.weights[0]} ({contents})", precision, target
        )
    if label.activations == "static" and not any(proof.ops.get(name) for name in QUANTIZED_OPS):
        contents = ", ".join(f"{count} {name}" for name, count in proof.ops.items())
        raise _mismatch(f"none of its ops computes on 8-bit activations ({contents})", precision, target)


def _mismatch(what: str, precision: str, target: str) -> DeployError:
    return DeployError(
        "PRECISION-MISMATCH",
        f"The {target} file is labelled {precision}, but {what}.",
        f"It was not saved. Export it as what it is, or choose another target for {precision}.",
    )
