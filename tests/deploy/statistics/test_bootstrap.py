"""Weights and blocks are what they claim, and intervals cover the truth about as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deploy.statistics.bootstrap import block_indices, block_interval, block_length, interval, sample_weights
from deploy.statistics.ratio import paired_ratio


def test_weights_draw_n_with_repetition_and_repeat_by_seed() -> None:
    weights = sample_weights(50, 2000, 3)
    assert weights.shape == (2000, 50)
    assert weights.dtype == np.int64
    assert (weights.sum(axis=1) == 50).all()
    assert np.array_equal(weights, sample_weights(50, 2000, 3))
    assert not np.array_equal(weights, sample_weights(50, 2000, 4))
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.12)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.05)


def test_paired_intervals_cover_the_true_drop() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(120):
        drops = 0.02 + rng.normal(0, 0.1, 80)
        found = interval(sample_weights(80, 400, trial) @ drops / 80)
        hits += found.low <= 0.02 <= found.high
    assert 0.88 <= hits / 120 <= 0.99


def test_pairing_narrows_the_interval() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(0.6, 0.2, 100)
    reference, artifact = hard, hard - 0.01 + rng.normal(0, 0.005, 100)
    weights = sample_weights(100, 500, 0)
    paired = interval(weights @ (reference - artifact) / 100)
    loose = interval(weights @ reference / 100 - sample_weights(100, 500, 1) @ artifact / 100)
    assert (paired.high - paired.low) * 10 < loose.high - loose.low


def test_blocks_keep_neighbours_together() -> None:
    drawn = block_indices(103, 10, 50, 0)
    assert drawn.shape == (50, 103)
    assert drawn.min() >= 0
    assert drawn.max() <= 102
    steps = np.diff(drawn, axis=1)
    assert (steps[:, np.arange(102) % 10 != 9] == 1).all()
    assert np.array_equal(block_indices(5, 99, 2, 0), [[0, 1, 2, 3, 4]] * 2)


def correlated(rng: np.random.Generator, count: int, memory: float) -> np.ndarray:
    noise = rng.normal(0, 1, count + 200)
    values = np.zeros(count + 200)
    for index in range(1, len(values)):
        values[index] = memory * values[index - 1] + noise[index]
    return values[200:]


def test_block_intervals_cover_where_plain_ones_are_too_narrow() -> None:
    rng = np.random.default_rng(2)
    blocks = plain = 0
    for trial in range(60):
        values = correlated(rng, 1500, 0.9)
        inside = block_interval(values, "mean", replicates=200, seed=trial)
        blocks += inside.low <= 0 <= inside.high
        narrow = block_interval(values, "mean", block=1, replicates=200, seed=trial)
        plain += narrow.low <= 0 <= narrow.high
    assert blocks / 60 >= 0.8
    assert plain / 60 <= 0.6


def test_block_length_follows_memory() -> None:
    rng = np.random.default_rng(3)
    assert block_length(rng.normal(0, 1, 1000)) == 1
    assert 40 <= block_length(correlated(rng, 4000, 0.9)) <= 120
    assert block_length(np.ones(80)) == 1
    assert block_length(np.empty(0)) == 1


def test_interval_leaves_out_nan_but_not_half_of_them() -> None:
    values = np.linspace(0, 1, 101)
    values[::3] = np.nan
    found = interval(values, 90)
    assert (found.low, found.high) == tuple(np.nanpercentile(values, [5, 95]))
    values[10:90] = np.nan
    assert math.isnan(interval(values).low)
    assert math.isnan(interval(np.empty(0)).high)
    with pytest.raises(ValueError, match="between 0 and 100"):
        interval(values, 100)


def test_paired_ratio_finds_a_small_slow_down_under_shared_load() -> None:
    rng = np.random.default_rng(4)
    load = np.exp(np.abs(correlated(rng, 400, 0.95)) / 5)
    old = 1e6 * load * rng.lognormal(0, 0.02, 400)
    new = 1.05e6 * load * rng.lognormal(0, 0.02, 400)
    found = paired_ratio(new, old)
    assert found.low <= 1.05 <= found.high
    assert found.high - found.low < 0.02
    assert found.pairs == 400
    backwards = paired_ratio(old, new)
    assert backwards.ratio == pytest.approx(1 / found.ratio)


def test_paired_ratio_refuses_impossible_times() -> None:
    with pytest.raises(ValueError, match="above 0"):
        paired_ratio([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="one length"):
        paired_ratio([1.0], [1.0, 2.0])
