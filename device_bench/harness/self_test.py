"""The golden self-test: a file that does not reproduce its stored outputs is not worth measuring."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.plan import BenchPlan
from deploy.contracts.run import GoldenResult
from deploy.runtimes.protocol import Runtime
from device_bench.harness.feed import golden_inputs, load_tensor

SQNR_CAP_DB = 200.0


def sqnr_db(reference: NDArray[np.generic], value: NDArray[np.generic]) -> float:
    """Signal to quantization-noise ratio, ``10 log10(sum(ref^2) / sum((ref - value)^2))`` dB.

    Capped at 200; -200 for a wrong shape, a non-finite value, or noise where the reference is all zero.
    """
    if reference.shape != value.shape or not np.isfinite(value).all():
        return -SQNR_CAP_DB
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(reference.astype(np.float64) - value.astype(np.float64)).sum())
    if noise == 0.0:
        return SQNR_CAP_DB
    if signal == 0.0:
        return -SQNR_CAP_DB
    return float(np.clip(10 * math.log10(signal / noise), -SQNR_CAP_DB, SQNR_CAP_DB))


def self_test(plan: BenchPlan, folder: Path, runtime: Runtime) -> GoldenResult:
    """Run every golden sample and compare every output with the stored one; the worst decides."""
    if not plan.golden.samples:
        return GoldenResult(status="SKIPPED", reason="the artifact carries no golden samples", samples=0)
    worst, where = SQNR_CAP_DB, ""
    for sample in plan.golden.samples:
        outputs = runtime.run(golden_inputs(folder, sample))
        for tensor in sample.outputs:
            reference = load_tensor(folder / tensor.file)
            if tensor.name not in outputs:
                return GoldenResult(
                    status="FAIL",
                    reason=f"the model has no output called {tensor.name}",
                    samples=len(plan.golden.samples),
                )
            level = sqnr_db(reference, np.asarray(outputs[tensor.name]))
            if level < worst:
                worst, where = level, f"output {tensor.name} of sample {sample.id}"
    passed = worst >= plan.golden.sqnr_db
    return GoldenResult(
        status="PASS" if passed else "FAIL",
        reason=None if passed else f"{where}: {worst:.1f} dB, below {plan.golden.sqnr_db:.1f} dB",
        sqnr_db=worst,
        samples=len(plan.golden.samples),
    )
