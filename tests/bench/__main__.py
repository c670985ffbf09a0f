"""``make bench``: every benchmark against its peers, as ratios taken in one run."""

from __future__ import annotations

import sys

from tests.bench import bench_data, bench_export, bench_harness, bench_metrics, bench_mil, bench_tiled
from tests.bench.row import tell


def main() -> int:
    """Print the rows as they come; 1 when a bar is missed."""
    modules = (bench_metrics, bench_harness, bench_mil, bench_export, bench_data, bench_tiled)
    missed = sum(tell(module.run()) for module in modules)
    sys.stdout.write(f"{missed} bars missed\n" if missed else "every bar is cleared\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
