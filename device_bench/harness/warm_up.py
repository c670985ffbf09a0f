"""Warm up until latency stands still, or say that it never did."""

from __future__ import annotations

from time import perf_counter_ns

from deploy.contracts.plan import WarmUp
from deploy.contracts.run import WarmUpResult
from deploy.statistics.steady import SteadyDetector
from device_bench.harness.feed import Feed
from device_bench.harness.loop import quiet_collector
from device_bench.harness.pipeline import AnyPipeline


def warm_up(pipeline: AnyPipeline, feed: Feed, rule: WarmUp) -> WarmUpResult:
    """Run frames until inference times meet the rule or ``rule.max_ns`` of wall time has passed."""
    detector = SteadyDetector(rule)
    observe, timed = detector.observe, pipeline.timed
    done = 0
    with quiet_collector():
        begin = perf_counter_ns()
        while True:
            over = observe(timed(feed, done)[2])
            done += 1
            spent = perf_counter_ns() - begin
            if over or spent >= rule.max_ns:
                return WarmUpResult(iterations=done, duration_ns=spent, steady=detector.steady)
