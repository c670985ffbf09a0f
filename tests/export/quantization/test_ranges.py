"""Histograms lose nothing, and the ways of taking ranges agree with numpy, scipy and ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from export.calibration.histogram import BINS, Histogram, Observer
from export.calibration.methods import entropy, minmax, mse, percentile

arrays = hnp.arrays(
    np.float32,
    st.integers(1, 200),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
)


def histogram_of(*arrays: NDArray[np.float32]) -> Histogram:
    found = Histogram()
    for values in arrays:
        found.add(values)
    return found


@given(st.lists(arrays, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_growing_loses_no_value_and_extremes_are_exact(parts: list[NDArray[np.float32]]) -> None:
    found = histogram_of(*parts)
    whole = np.concatenate(parts)
    assert minmax(found) == (float(whole.min()), float(whole.max()))
    if found.reach > 0:
        first = next(number for number, part in enumerate(parts) if np.abs(part).max() > 0)
        assert found.counts.sum() == sum(part.size for part in parts[first:])
        assert found.reach >= np.abs(whole).max() * 0.999999


def test_large_tensors_are_counted_by_an_even_spread() -> None:
    values = np.linspace(-1, 1, 1_000_000, dtype=np.float32)
    found = histogram_of(values)
    assert found.counts.sum() <= 65_536
    assert found.counts.sum() > 60_000
    assert minmax(found) == (-1.0, 1.0)
    middle = found.counts[BINS // 4 : 3 * BINS // 4].sum() / found.counts.sum()
    assert middle == pytest.approx(0.5, abs=0.01)


def test_the_percentile_is_numpys_to_a_bin() -> None:
    values = np.random.default_rng(0).standard_normal(60_000).astype(np.float32)
    values[:3] = (40.0, -50.0, 30.0)  # outliers that minmax would span
    found = histogram_of(values)
    low, high = percentile(found)
    width = 2 * found.reach / BINS
    assert low == pytest.approx(np.percentile(values, 0.01), abs=2 * width)
    assert high == pytest.approx(np.percentile(values, 99.99), abs=2 * width)


def test_entropy_clips_outliers_and_keeps_what_carries_the_shape() -> None:
    values = np.random.default_rng(1).laplace(size=60_000).astype(np.float32)
    values[0] = 200.0
    low, high = entropy(histogram_of(values))
    assert high < 60
    assert high > 3
    assert low == pytest.approx(float(values.min()), rel=1e-6) or low == pytest.approx(-high, rel=1e-6)


def test_entropy_agrees_with_onnx_runtimes_on_the_same_histogram() -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    values = np.abs(np.random.default_rng(2).standard_normal(60_000)).astype(np.float32)
    values[:20] = 12.0
    found = histogram_of(values)
    collector = HistogramCollector("entropy", False, BINS, 128, 99.99, 0)
    half = BINS // 2
    magnitudes = found.counts[half:] + found.counts[:half][::-1]
    counts = np.concatenate([magnitudes[::-1], magnitudes])
    edges = np.linspace(-found.reach, found.reach, BINS + 1, dtype=np.float32)
    result = collector.get_entropy_threshold((counts, edges, values.min(), values.max(), 0), 128)
    theirs = float(np.max(result[1])) if not np.isscalar(result[1]) else float(result[1])
    ours = entropy(found)[1]
    assert ours == pytest.approx(theirs, rel=0.25)


def test_an_empty_or_constant_tensor_has_a_range() -> None:
    zeros = histogram_of(np.zeros(10, np.float32))
    assert minmax(zeros) == percentile(zeros) == entropy(zeros) == (0.0, 0.0)
    fives = histogram_of(np.full(10, 5, np.float32))
    for method in (minmax, percentile, entropy, mse):
        low, high = method(fives)
        assert low <= 5.0 <= high


def test_the_observer_keeps_the_state_at_its_checkpoints() -> None:
    observer = Observer([1, 3])
    for value in (1.0, 5.0, 3.0):
        observer.watch("x", np.float32([value]))
        observer.next_sample()
    assert minmax(observer.after(1)["x"]) == (1.0, 1.0)
    assert minmax(observer.after(3)["x"]) == (1.0, 5.0)
    with pytest.raises(KeyError):
        observer.after(2)


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 40.0))
@settings(max_examples=20, deadline=None)
def test_mse_is_no_worse_than_minmax_on_the_values_themselves(seed: int, outlier: float) -> None:
    values = np.random.default_rng(seed).standard_normal(20_000).astype(np.float32)
    values[0] = outlier
    found = histogram_of(values)

    def error(low: float, high: float) -> float:
        step = (high - low) / 255
        rounded = np.clip(np.rint((values - low) / step), 0, 255) * step + low
        return float(np.square(values - rounded).mean())

    assert error(*mse(found)) <= error(*minmax(found)) * 1.02
    low, high = mse(found)
    assert minmax(found)[0] <= low < high <= minmax(found)[1]
