"""J and F equal the plain whole-picture way, bit for bit, on masks that trip boundary code."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from deploy.metrics import regions
from deploy.metrics.regions import (
    boundary_accuracy,
    boundary_map,
    region_and_boundary,
    region_similarity,
    sequence_statistics,
)
from tests.oracles import davis
from tests.oracles.pictures import blobs, shaken

SIZES = [(480, 854), (120, 160), (37, 61), (600, 800)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_equal_to_oracle_on_blobs(size: tuple[int, int], seed: int) -> None:
    truth = blobs(*size, seed, speckle=0.001 if seed % 2 else 0.0)
    mask = shaken(truth, seed + 100)
    expected = (davis.region(mask, truth), davis.boundary(mask, truth))
    assert region_and_boundary(mask, truth) == expected
    assert (region_similarity(mask, truth), boundary_accuracy(mask, truth)) == expected
    assert np.array_equal(boundary_map(mask), davis.boundary_pixels(mask))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_equal_to_oracle_on_any_tiny_mask(data: st.DataObject) -> None:
    shape = data.draw(array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
    mask = data.draw(arrays(np.bool_, shape))
    truth = data.draw(arrays(np.bool_, shape))
    assert region_and_boundary(mask, truth) == (davis.region(mask, truth), davis.boundary(mask, truth))


def test_empty_and_full_masks() -> None:
    empty, full = np.zeros((40, 50), np.bool_), np.ones((40, 50), np.bool_)
    for mask, truth in [(empty, empty), (empty, full), (full, empty), (full, full)]:
        assert region_and_boundary(mask, truth) == (davis.region(mask, truth), davis.boundary(mask, truth))
    assert region_and_boundary(empty, empty) == (1.0, 1.0)


def test_views_that_are_not_contiguous() -> None:
    wide = blobs(200, 300, 1)
    mask, truth = wide[::2, ::3], wide[1::2, ::3]
    assert region_and_boundary(mask, truth) == (davis.region(mask, truth), davis.boundary(mask, truth))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 17, 100, 256])
def test_sequence_statistics(frames: int) -> None:
    values = np.random.default_rng(frames).random(frames)
    found = sequence_statistics(values)
    assert (found.mean, found.recall, found.decay) == davis.statistics(values)


def test_no_frames_give_nan() -> None:
    assert math.isnan(sequence_statistics(np.empty(0)).mean)


def test_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        region_and_boundary(np.zeros((2, 3), np.bool_), np.zeros((3, 2), np.bool_))


@pytest.mark.parametrize("budget", [0, 16])
def test_equal_to_oracle_on_noise_by_both_ways(monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    """Noise leaves many pixels undecided; a budget of 0 sends them all to the distance transform."""
    monkeypatch.setattr(regions, "_WINDOW_BUDGET", budget)
    rng = np.random.default_rng(5)
    for density in (0.0005, 0.002, 0.01):
        mask, truth = rng.random((200, 700)) < density, rng.random((200, 700)) < density
        assert region_and_boundary(mask, truth) == (davis.region(mask, truth), davis.boundary(mask, truth))
