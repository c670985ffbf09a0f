"""Tiles lie where sahi puts them, and cover the picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sahi.slicing import get_slice_bboxes

from deploy.contracts.tiling import Tiling
from deploy.tiled.windows import windows


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.tuples(st.integers(40, 400), st.integers(40, 400)),
    st.sampled_from([0.0, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.8]),
)
def test_equal_to_sahi(size: tuple[int, int], tile: tuple[int, int], overlap: float) -> None:
    """The same tiles in the same order; every pixel is in one, and no tile leaves the picture."""
    found = windows(size, Tiling(height=tile[0], width=tile[1], overlap=overlap))
    assert found.tolist() == get_slice_bboxes(*size, *tile, False, overlap, overlap)
    seen = np.zeros(size, np.bool_)
    for left, top, right, bottom in found:
        seen[top:bottom, left:right] = True
    assert seen.all()
    assert (found[:, 2:] <= size[::-1]).all()
