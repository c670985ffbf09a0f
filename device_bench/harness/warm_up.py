"""Warm up until latency stands still, or say that it never did."""

from __future__ import annotations

from time import perf_counter_ns

from deploy.contracts.plan import WarmUp
from deploy.contracts.run import WarmUpResult
from device_bench.harness.feed import Feed
from device_bench.harness.loop import quiet_collector
from device_bench.harness.pipeline import Pipeline


def warm_up(pipeline: Pipeline, feed: Feed, rule: WarmUp) -> WarmUpResult:
    """Run frames until the rule is met or ``rule.max_ns`` has passed; none of them is kept."""
    fast = slow = 0.0
    steady = done = 0
    with quiet_collector():
        begin = perf_counter_ns()
        while True:
            infer = pipeline.timed(feed, done)[2]
            fast = infer if done == 0 else 0.1 * infer + 0.9 * fast
            slow = infer if done == 0 else 0.005 * infer + 0.995 * slow
            done += 1
            steady = steady + 1 if abs(fast / slow - 1) <= rule.band else 0
            spent = perf_counter_ns() - begin
            enough = done >= rule.min_iterations and spent >= rule.min_ns
            if enough and steady >= rule.steady_iterations:
                return WarmUpResult(iterations=done, duration_ns=spent, steady=True)
            if spent >= rule.max_ns:
                return WarmUpResult(iterations=done, duration_ns=spent, steady=False)
