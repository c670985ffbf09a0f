"""``make bench``: every benchmark against its peers, as ratios taken in one run."""

from __future__ import annotations

import sys

from tests.bench import bench_data, bench_export, bench_harness, bench_metrics, bench_mil, bench_tiled


def main() -> int:
    """Print the rows as they come; 1 when a bar is missed."""
    missed = 0
    for module in (bench_metrics, bench_harness, bench_mil, bench_export, bench_data, bench_tiled):
        for row in module.run():
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            missed += not row.passed
    sys.stdout.write(f"{missed} bars missed\n" if missed else "every bar is cleared\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
