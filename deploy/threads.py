"""Sane thread settings, put into the environment before any native library loads.

The defaults were measured up to 45x slower on shared cores: libgomp spins while it waits, and so does ONNX
Runtime. Passive waits cost nothing on a quiet machine.
"""

from __future__ import annotations

import os

_DEFAULTS = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "TOKENIZERS_PARALLELISM": "false",
}


def usable_cores() -> int:
    """The number of cores this process may run on (its affinity mask where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_environment(threads: int | None = None) -> None:
    """Set passive waits, and a thread count when one is given; what the user already set is kept.

    Args:
        threads: OpenMP threads for this process; ``None`` leaves the count to the libraries.
    """
    for key, value in _DEFAULTS.items():
        os.environ.setdefault(key, value)
    if threads is not None:
        for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[key] = str(threads)


def worker_environment(threads: int) -> dict[str, str]:
    """A copy of the environment for a child process that may use ``threads`` threads."""
    return {
        **os.environ,
        **_DEFAULTS,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }
