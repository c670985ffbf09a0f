"""On published masks, a worse method that holds stiller than the truth does not look better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.metrics.regions import region_and_boundary
from deploy.metrics.steadiness import GuardedJitter, ranked
from tests.bench.davis_table import markdown, means, measure
from tests.oracles import davis
from tests.oracles.real import davis_prediction, davis_truth, needs

pytestmark = pytest.mark.real
Table = dict[str, dict[str, GuardedJitter]]


@pytest.fixture(scope="module")
def table() -> Table:
    return measure(needs("davis16"))


def test_raw_temporal_iou_falls_into_the_trap(table: Table) -> None:
    mean = means(table)
    assert mean["osvos"]["J&F"] > mean["rvos"]["J&F"]
    assert mean["rvos"]["temporal IoU"] > mean["truth"]["temporal IoU"] > mean["osvos"]["temporal IoU"]


def test_the_presented_figure_does_not(table: Table) -> None:
    assert list(means(table)) == ["truth", "osvos", "rvos"]
    for rows in table.values():
        assert ranked(rows)[0] == "truth"
        better, worse = ("osvos", "rvos") if rows["osvos"].jf > rows["rvos"].jf else ("rvos", "osvos")
        assert ranked(rows) == ["truth", better, worse]
        assert rows[better].steady_jf > rows[worse].steady_jf


def test_flow_sees_the_worse_method_flip_more_in_every_sequence(table: Table) -> None:
    """Where raw temporal IoU calls RVOS steadier than the truth, the flow-compensated rate does not."""
    for rows in table.values():
        better, worse = ("osvos", "rvos") if rows["osvos"].jf > rows["rvos"].jf else ("rvos", "osvos")
        assert rows["truth"].flip_rate < rows[better].flip_rate < rows[worse].flip_rate


def test_the_documented_table_is_the_measured_one(table: Table) -> None:
    """Same rows in the same order, and the same numbers but for what another CPU's optical flow moves."""
    page = (Path(__file__).parents[3] / "docs" / "measuring.md").read_text(encoding="utf-8")
    rows = markdown(table).splitlines()
    start = page.index(rows[0])
    for measured, written in zip(rows, page[start:].splitlines(), strict=False):
        ours, theirs = ([cell.strip() for cell in line.split("|")] for line in (measured, written))
        assert ours[:3] == theirs[:3]
        for one, other in zip(ours[3:], theirs[3:], strict=True):
            same = one == other or float(one) == pytest.approx(float(other), rel=0.03, abs=0.01)
            assert same, f"{measured} is documented as {written}"


def test_j_and_f_of_published_masks_equal_the_oracle() -> None:
    root = needs("davis16")
    truth, found = davis_truth(root, "bmx-trees")[::8], davis_prediction(root, "rvos", "bmx-trees")[::8]
    for mask, true in zip(found, truth, strict=True):
        assert region_and_boundary(mask, true) == (davis.region(mask, true), davis.boundary(mask, true))
    assert not np.array_equal(found, truth)
