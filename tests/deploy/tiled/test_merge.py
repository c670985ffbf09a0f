"""Merging gives sahi's own boxes, scores, classes and order, whatever the boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contracts.tiling import Merge
from deploy.tiled.merge import merge
from deploy.tiled.merging import groups
from deploy.tiled.raw import RawDetections
from tests.oracles import sahi_merge

KINDS = st.builds(
    Merge,
    kind=st.sampled_from(["nms", "nmm", "greedy_nmm"]),
    metric=st.sampled_from(["iou", "ios"]),
    threshold=st.sampled_from([0.01, 0.2, 1 / 3, 0.5, 0.75, 1.0]),
    class_agnostic=st.booleans(),
)


@st.composite
def boxes(draw: st.DrawFn) -> RawDetections:
    """Few boxes on a coarse grid, so that ties, copies, nesting and boxes without area are common."""
    count = draw(st.integers(0, 24))
    step = draw(st.sampled_from([1.0, 0.5, 0.3, 7.7]))
    cells = draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.integers(0, cells, (count, 2))
    sides = rng.integers(draw(st.integers(0, 1)), cells, (count, 2))
    xyxy = (np.concatenate([corners, corners + sides], axis=1) * step).astype(np.float32)
    scores = (rng.integers(1, draw(st.integers(2, 9)), count) / 9).astype(np.float32)
    classes = rng.integers(0, draw(st.integers(1, 3)), count)
    tiles = np.zeros(count, np.int32)
    return RawDetections(xyxy.reshape(-1, 4), scores, classes.astype(np.int64), tiles, (200, 200))


def _same(raw: RawDetections, how: Merge) -> None:
    found = merge(raw, how)
    wanted = sahi_merge.merge(raw, how)
    for mine, theirs in zip((found.boxes, found.scores, found.classes), wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@settings(max_examples=400, deadline=None)
@given(boxes(), KINDS)
def test_equal_to_sahi_on_small_scenes(raw: RawDetections, how: Merge) -> None:
    """Boxes, scores, classes and order, to the bit."""
    _same(raw, how)


@settings(max_examples=150, deadline=None)
@given(boxes(), KINDS)
def test_piles_are_walked_alike(raw: RawDetections, how: Merge) -> None:
    """The way for piles of boxes gives the same answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MOST_CANDIDATES", -1)
        _same(raw, how)


@pytest.mark.parametrize("kind", ["nms", "nmm", "greedy_nmm"])
@pytest.mark.parametrize("metric", ["iou", "ios"])
@pytest.mark.parametrize("class_agnostic", [True, False])
@pytest.mark.parametrize(("count", "classes"), [(700, 1), (3000, 7)])
def test_equal_to_sahi_on_crowds(
    kind: str, metric: str, class_agnostic: bool, count: int, classes: int
) -> None:
    """Below and above the size at which sahi changes its own way."""
    how = Merge.model_validate({"kind": kind, "metric": metric, "class_agnostic": class_agnostic})
    _same(sahi_merge.crowd(count, classes, seed=count), how)


def test_a_pile_is_merged_without_listing_its_pairs() -> None:
    """Thousands of boxes on one spot: sahi's answer, through the way for piles."""
    rng = np.random.default_rng(5)
    corners = rng.uniform(0, 30, (4500, 2))
    xyxy = np.concatenate([corners, corners + rng.uniform(50, 60, (4500, 2))], axis=1).astype(np.float32)
    scores = rng.uniform(0.1, 0.9, 4500).astype(np.float32)
    raw = RawDetections(xyxy, scores, np.zeros(4500, np.int64), np.zeros(4500, np.int32), (200, 200))
    for kind in ("nms", "nmm", "greedy_nmm"):
        _same(raw, Merge.model_validate({"kind": kind}))


def test_none_keeps_every_box() -> None:
    """In their order."""
    raw = sahi_merge.crowd(50, 3)
    assert merge(raw, Merge(kind="none")) is raw
