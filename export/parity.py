"""Agreement of a file's own runtime with the fp32 reference, hop by hop; it gates the save."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import Parity, ParityHop

CAP_DB = 200.0
_HUGE = float(np.finfo(np.float32).max)
TOLERANCE_DB = {
    "fp32": 60.0,
    "fp16": 30.0,
    "w8": 15.0,
    "w6": 6.0,
    "w4": 0.0,
    "w8a8": 0.0,
    "w8a8-dynamic": 0.0,
    "auto": 0.0,
}
"""Smallest SQNR of any output. Measured: fp32 conversions 101..136 dB; fp16 37..67 dB; w8 40..45 dB.

Below w8 it only catches garbage: 2.9 dB went with 99.75 % equal answers (a few large logits were clipped), so
that the task's own agreement decides there.
"""

_COARSE = {"binary_mask": 0.80, "classify": 0.5, "yolo": 0.3, "tensors": 0.9}

AGREEMENT: dict[str, dict[str, float]] = {
    "fp32": {"binary_mask": 0.999, "classify": 0.999, "yolo": 0.98, "tensors": 0.9999},
    "fp16": {"binary_mask": 0.97, "classify": 0.85, "yolo": 0.85, "tensors": 0.99},
    "w8": {"binary_mask": 0.95, "classify": 0.75, "yolo": 0.7, "tensors": 0.98},
    "w6": _COARSE,
    "w4": _COARSE,
    "w8a8": _COARSE,
    "w8a8-dynamic": _COARSE,
    "auto": _COARSE,
}
"""Smallest mean task-level agreement over the samples, by precision and decoder."""

Outputs = Mapping[str, NDArray[np.generic]]


def sqnr_db(reference: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Signal to quantization-noise ratio, ``10 log10(sum r^2 / sum (r - o)^2)``, in dB, capped at 200.

    Identical tensors give the cap; NaN, infinity or another shape gives minus infinity's stand-in, -200.
    """
    if reference.shape != other.shape:
        return -CAP_DB
    signal = reference.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        noise = float(np.square(signal - other.astype(np.float64)).sum())
    if not math.isfinite(noise):
        return -CAP_DB
    power = float(np.square(signal).sum())
    if noise == 0.0:
        return CAP_DB
    decibels = 10 * (math.log10(max(power, 1e-300)) - math.log10(noise))
    return float(np.clip(decibels, -CAP_DB, CAP_DB))


def judge_hop(
    name: str, references: Sequence[Outputs], others: Sequence[Outputs], precision: str
) -> ParityHop:
    """The worst output over all samples, against the tolerance of ``precision``."""
    worst, where, largest = CAP_DB, "", 0.0
    for reference, other in zip(references, others, strict=True):
        for key, value in reference.items():
            found = sqnr_db(value, other[key])
            if found <= worst:
                worst, where = found, key
            if value.shape == other[key].shape and value.size:
                with np.errstate(invalid="ignore"):
                    difference = np.abs(value.astype(np.float64) - other[key].astype(np.float64)).max()
                largest = max(largest, float(difference) if np.isfinite(difference) else _HUGE)
    tolerance = TOLERANCE_DB[precision]
    passed = worst >= tolerance
    reason = None if passed else f"output {where} has {worst:.1f} dB; {precision} needs {tolerance:.0f} dB"
    return ParityHop(
        hop=name,
        status="PASS" if passed else "FAIL",
        reason=reason,
        sqnr_db=worst,
        max_abs=largest,
        tolerance_db=tolerance,
    )


def unknown_hop(name: str, reason: str) -> ParityHop:
    """A hop that cannot be run on this machine."""
    return ParityHop(hop=name, status="UNKNOWN", reason=reason)


def judge_parity(
    hops: Sequence[ParityHop],
    precision: str,
    decode_kind: str,
    pairs: Sequence[tuple[Any, Any]],
    decoder: Any,
    samples: int,
) -> Parity:
    """Put hops and task-level agreement together; the first failing hop is the reason.

    Args:
        hops: in the order of the conversion.
        pairs: (reference, artifact) predictions; empty when the file could not be run.
        decoder: whose ``agreement`` compares a pair.
    """
    unknown = next((hop for hop in hops if hop.status == "UNKNOWN"), None)
    failed = next((hop for hop in hops if hop.status == "FAIL"), None)
    agreement = float(np.mean([decoder.agreement(a, b) for a, b in pairs])) if pairs else None
    tolerance = AGREEMENT[precision][decode_kind]
    status: Literal["PASS", "FAIL", "UNKNOWN"]
    reason: str | None
    if failed is not None:
        status, reason = "FAIL", f"{failed.hop}: {failed.reason}"
    elif unknown is not None:
        status, reason = "UNKNOWN", unknown.reason
    elif agreement is not None and agreement < tolerance:
        status, reason = "FAIL", f"predictions agree {agreement:.3f}; {precision} needs {tolerance:.3f}"
    else:
        status, reason = "PASS", None
    return Parity(
        status=status,
        reason=reason,
        samples=samples,
        hops=tuple(hops),
        agreement=agreement,
        agreement_tolerance=tolerance,
    )
