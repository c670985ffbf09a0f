"""Warm-up detection by AndroidX's rule, and latency summaries."""

from __future__ import annotations

import time

import numpy as np
import pytest

from deploy.contracts.plan import WarmUp
from deploy.statistics.latency import summarise_latency
from deploy.statistics.steady import SteadyDetector

MS = 1_000_000


def warm(latencies: list[int], rule: WarmUp | None = None) -> SteadyDetector:
    detector = SteadyDetector(rule)
    for latency in latencies:
        if detector.observe(latency):
            return detector
    return detector


def test_constant_latency_is_steady_after_forty_agreements() -> None:
    detector = warm([10 * MS] * 1000)
    assert detector.steady
    assert detector.iterations == 41


def test_fast_calls_wait_for_the_minimum_time() -> None:
    detector = warm([100_000] * 10_000)
    assert detector.steady
    assert detector.total_ns == WarmUp().min_ns


def test_falling_latency_is_waited_for() -> None:
    falling = [int(MS * (5 + 20 * np.exp(-i / 40))) for i in range(3000)]
    detector = warm(falling)
    assert detector.steady
    assert falling[detector.iterations] < 5.2 * MS


def test_unrest_ends_at_the_time_limit_and_says_so() -> None:
    detector = warm([(5 if (i // 25) % 2 else 50) * MS for i in range(10_000)])
    assert not detector.steady
    assert detector.total_ns >= WarmUp().max_ns


def test_slow_calls_end_at_the_time_limit_before_thirty() -> None:
    assert warm([2_000 * MS] * 50).iterations == 4


def plain_androidx(latencies: list[int]) -> int:
    """The published rule written out, with the agreement counted as ``WarmUp`` says; calls until it ends."""
    fast = slow = float(latencies[0])
    similar, total = 0, latencies[0]
    for index, latency in enumerate(latencies[1:], 2):
        total += latency
        fast, slow = 0.1 * latency + 0.9 * fast, 0.005 * latency + 0.995 * slow
        similar = similar + 1 if 1 - 0.04 < fast / slow < 1 + 0.04 else 0
        if total >= 8_000 * MS or (index >= 30 and total >= 250 * MS and similar >= 40):
            return index
    return len(latencies)


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_rule_written_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    latencies = (
        (MS * (4 + 10 * np.exp(-np.arange(4000) / 60)) * rng.lognormal(0, 0.03, 4000)).astype(int).tolist()
    )
    assert warm(latencies).iterations == plain_androidx(latencies)


def test_observing_is_cheap() -> None:
    detector = SteadyDetector(WarmUp(max_ns=10**18, steady_iterations=10**9))
    start = time.process_time()
    for _ in range(20_000):
        detector.observe(5 * MS)
    assert (time.process_time() - start) / 20_000 < 20e-6


def test_summary_of_known_samples() -> None:
    summary = summarise_latency([i * MS for i in range(1, 201)])
    assert (summary.p50_ns, summary.p90_ns, summary.p99_ns) == (100 * MS, 180 * MS, 198 * MS)
    assert (summary.min_ns, summary.max_ns, summary.samples) == (MS, 200 * MS, 200)
    assert summary.fps == pytest.approx(1e9 / (100.5 * MS))


def test_median_intervals_cover_and_are_seeded() -> None:
    inside = 0
    for seed in range(40):
        latencies = (5 * MS * np.random.default_rng(seed).lognormal(0, 0.1, 800)).astype(np.int64)
        found = summarise_latency(latencies, replicates=200).median_interval
        inside += found.low <= 5 * MS <= found.high
    assert inside >= 35
    assert found == summarise_latency(latencies, replicates=200).median_interval


def test_one_sample_and_none() -> None:
    assert summarise_latency([7]).p99_ns == 7
    with pytest.raises(ValueError, match="at least one"):
        summarise_latency([])
