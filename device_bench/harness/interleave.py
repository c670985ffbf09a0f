"""Two artifacts in one process, call by call (A, B, B, A), so that the machine's mood hits both alike.

``python -m device_bench.harness.interleave PLAN_A PLAN_B OUT_FILE``. Measured on a busy machine: set-by-set
ratios spread by 7 %, call-by-call ones by 1 %.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from deploy.contracts.plan import BenchPlan
from deploy.errors import DeployError
from deploy.runtimes import RUNTIMES
from deploy.runtimes.protocol import Runtime
from deploy.store import write_json
from device_bench.harness.feed import Feed, open_feed
from device_bench.harness.loop import quiet_collector
from device_bench.harness.pipeline import AnyPipeline
from device_bench.harness.progress import report
from device_bench.harness.tiled import open_pipeline

WARM_CALLS = 10
REPORT_NS = 500_000_000


@dataclass
class Pairs:
    """Raw pairs: wall and CPU nanoseconds of the inference of A and of B in the same pair."""

    a_wall_ns: list[int] = field(default_factory=list)
    b_wall_ns: list[int] = field(default_factory=list)
    a_cpu_ns: list[int] = field(default_factory=list)
    b_cpu_ns: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Side:
    """A loaded artifact and its frames."""

    pipeline: AnyPipeline
    feed: Feed


def interleave(
    a: Side,
    b: Side,
    duration_ns: int,
    max_pairs: int | None = None,
    told: Callable[[str, float, float], None] = lambda *_: None,
) -> Pairs:
    """Alternate A,B and B,A until ``duration_ns`` has passed or ``max_pairs`` are done; at least one pair.

    Args:
        told: called about twice a second, between pairs, with how far it is.
    """
    pairs = Pairs()
    sides = ((a, pairs.a_wall_ns, pairs.a_cpu_ns), (b, pairs.b_wall_ns, pairs.b_cpu_ns))
    orders = (sides, sides[::-1])
    for index in range(WARM_CALLS):
        a.pipeline.timed(a.feed, index)
        b.pipeline.timed(b.feed, index)
    done = 0
    with quiet_collector():
        begin = perf_counter_ns()
        last = begin
        while True:
            for side, wall, cpu in orders[done & 1]:
                times = side.pipeline.timed(side.feed, done)
                wall.append(times[2])
                cpu.append(times[4])
            done += 1
            now = perf_counter_ns()
            if now - begin >= duration_ns or done == max_pairs:
                return pairs
            if now - last > REPORT_NS:
                told("interleaved", now - begin, duration_ns)
                last = now


def open_side(plan_folder: Path) -> tuple[BenchPlan, Side]:
    """Load the model of a plan folder and its frames."""
    plan = BenchPlan.load(plan_folder / "plan.json")
    kind: Any = RUNTIMES.open(plan.target)
    runtime: Runtime = kind(plan_folder / plan.model_file, plan.inputs, plan.outputs, plan.threads)
    return plan, Side(open_pipeline(plan, runtime), open_feed(plan, plan_folder))


def main(argv: list[str]) -> int:
    """Exit code 0 when the pairs were written; an error document is written otherwise."""
    faulthandler.enable()
    if len(argv) != 3:
        sys.stderr.write("usage: python -m device_bench.harness.interleave PLAN_A PLAN_B OUT_FILE\n")
        return 2
    out = Path(argv[2])
    try:
        plan, a = open_side(Path(argv[0]))
        _, b = open_side(Path(argv[1]))
        pairs = interleave(a, b, plan.duration_ns, plan.max_iterations, report)
    except DeployError as error:
        write_json(out, error.to_dict())
        return 1
    except Exception as error:
        problem = DeployError("MODEL-ERROR", f"{type(error).__name__}: {error}.", "Bench each one alone.")
        write_json(out, problem.to_dict())
        return 1
    write_json(out, vars(pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
