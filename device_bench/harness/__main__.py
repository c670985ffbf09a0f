"""``python -m device_bench.harness PLAN_FOLDER OUT_FOLDER``: carry out one plan, write one run."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    """Exit code 0 for a completed run, 1 for a failed one (``run.json`` is written in both cases)."""
    faulthandler.enable()
    if len(argv) != 2:
        sys.stderr.write("usage: python -m device_bench.harness PLAN_FOLDER OUT_FOLDER\n")
        return 2
    from device_bench.harness.measure import measure

    out = Path(argv[1])
    run = measure(Path(argv[0]), out)
    run.save(out / "run.json")
    return 0 if run.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
