"""Refuse a file whose contents contradict its label."""

from __future__ import annotations

from deploy.contracts.artifact import PrecisionProof
from deploy.errors import DeployError

_LABEL_DTYPE = {"fp32": "float32", "fp16": "float16"}
_WHOLE = 0.9
_WITH_WIDE_OPS = 0.5


def share_of_label(proof: PrecisionProof, precision: str) -> float | None:
    """Share of the floating-point weight bytes that have the label's dtype.

    Falls back to the share of ops for a file without stored weights; ``None`` when it has neither.
    """
    for counted in (proof.weight_bytes, proof.ops):
        floats = {name: amount for name, amount in counted.items() if name.startswith("float")}
        narrow = {
            name: amount for name, amount in counted.items() if name in ("int8", "uint8", "int4", "uint4")
        }
        total = sum(floats.values()) + sum(narrow.values())
        if total:
            return floats.get(_LABEL_DTYPE[precision], 0) / total
    return None


def demand_label(proof: PrecisionProof, precision: str, target: str) -> None:
    """Raise ``PRECISION-MISMATCH`` unless at least 90 % of the weight bytes have the label's dtype.

    Where ops had to stay wide (and are listed), half is enough.
    """
    share = share_of_label(proof, precision)
    needed = _WITH_WIDE_OPS if proof.wide_ops else _WHOLE
    if share is not None and share < needed:
        contents = ", ".join(f"{amount} bytes {name}" for name, amount in proof.weight_bytes.items())
        raise DeployError(
            "PRECISION-MISMATCH",
            f"The {target} file is labelled {precision}, but only {share:.0%} of its weights are "
            f"{_LABEL_DTYPE[precision]} ({contents}).",
            f"It was not saved. Export it as what it is, or choose another target for {precision}.",
        )
