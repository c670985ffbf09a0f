"""The timed loop: collector off, samples kept in memory and written between frames, never inside one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from device_bench.harness.feed import Feed
from device_bench.harness.pipeline import AnyPipeline
from device_bench.samples import Row

FLUSH_NS = 1_000_000_000
"""A crash loses at most this much; one write a second costs under 0.1 % of the time."""


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Collector off; everything alive is put out of its sight, so that a sweep between frames is cheap."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def timed_loop(
    pipeline: AnyPipeline,
    feed: Feed,
    duration_ns: int,
    max_iterations: int | None,
    write: Callable[[list[Row]], None],
) -> int:
    """Run frames until ``duration_ns`` has passed or ``max_iterations`` are done; at least one.

    Args:
        write: takes the rows since its last call; called about once a second, outside every timed stage.

    Returns:
        Number of samples.
    """
    timed = pipeline.timed
    rows: list[Row] = []
    append = rows.append
    done = 0
    limit = max_iterations if max_iterations is not None else 1 << 62
    with quiet_collector():
        begin = perf_counter_ns()
        end, flush = begin + duration_ns, begin + FLUSH_NS
        while True:
            t, pre, infer, post, cpu, *stages = timed(feed, done)
            append((done, t - begin, pre, infer, post, cpu, *stages))
            done += 1
            now = t + pre + infer + post
            if done >= limit or now >= end:
                break
            if now >= flush:
                write(rows)
                rows.clear()
                gc.collect()
                flush = perf_counter_ns() + FLUSH_NS
        write(rows)
    return done
