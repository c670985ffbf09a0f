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
    """Share of the weights that have one of the label's dtypes, integer tables and biases aside.

    For a float label bytes are counted, for one of 8 bits or fewer numbers: int4 in blocks of 32 has a half
    float of scale for every 16 bytes, so that 89 % of its bytes is the most it could reach. Falls back to the
    share of ops for a file without stored weights; ``None`` when it has neither.
    """
    weights: dict[str, float] = dict(proof.weight_bytes)
    if PRECISIONS[precision].quantized:
        weights = {name: amount * 8 / _bits(name) for name, amount in weights.items()}
    for counted in (weights, proof.ops):
        known = {
            name: amount for name, amount in counted.items() if name.startswith("float") or name in _NARROW
        }
        total = sum(known.values())
        if total:
            return sum(known.get(name, 0) for name in PRECISIONS[precision].weights) / total
    return None


def demand_label(proof: PrecisionProof, precision: str, target: str) -> None:
    """Raise ``PRECISION-MISMATCH`` unless the file is what its label says.

    At least 90 % of the weights must have the label's dtype (half, where an fp16 or auto file lists ops
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


def _bits(dtype: str) -> int:
    """Bits of one number: the digits at the end of its dtype's name."""
    return int("".join(filter(str.isdigit, dtype)) or 8)


def _mismatch(what: str, precision: str, target: str) -> DeployError:
    return DeployError(
        "PRECISION-MISMATCH",
        f"The {target} file is labelled {precision}, but {what}.",
        f"It was not saved. Export it as what it is, or choose another target for {precision}.",
    )
