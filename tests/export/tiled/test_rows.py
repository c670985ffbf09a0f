"""The four rows on planted boxes: what merging, the gate and no tiles at all do to each mistake."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.contracts.tiled_report import TiledProtocol, TiledRow
from deploy.contracts.tiling import Gate, Tiling
from deploy.statistics.bootstrap import sample_weights
from export.evaluation.tiled.flow import Table
from export.evaluation.tiled.sweep import CONFIDENCES, sweep
from export.evaluation.tiled.ways import ways
from tests.export.tiled.planted import RAWS, TRUTHS, protocol


def _rows(rules: TiledProtocol) -> dict[str, TiledRow]:
    weights = np.concatenate([np.ones((1, 3), np.int64), sample_weights(3, 50, 0)])
    return {each.row.name: each.row for each in Table(rules, RAWS, TRUTHS, weights).rows()}


def _counts(row: TiledRow) -> tuple[int, int, int]:
    return row.true_positives, row.false_positives, row.missed


def test_the_row_without_tiles_is_always_there() -> None:
    rows = _rows(protocol())
    assert list(rows) == ["full image", "sliced", "sliced + gate", "no merge"]
    assert _counts(rows["full image"]) == (1, 0, 1)  # the helmet is below 0.4 there
    assert rows["full image"].over_full_image is None


def test_merging_removes_duplicates_and_the_gate_what_only_tiles_see() -> None:
    rows = _rows(protocol())
    assert _counts(rows["no merge"]) == (2, 4, 0)
    assert rows["no merge"].causes["duplicate"] == 2
    assert _counts(rows["sliced"]) == (2, 2, 0)
    assert rows["sliced"].causes["duplicate"] == 0
    assert _counts(rows["sliced + gate"]) == (2, 0, 0)
    gain = rows["sliced + gate"].over_full_image
    assert gain is not None and gain.value == pytest.approx(1 - 2 / 3)


@pytest.mark.parametrize(("choice", "wrong", "unanswered"), [("drop", 0, 0), ("keep", 1, 0), ("skip", 0, 1)])
def test_a_picture_without_hints(choice: str, wrong: int, unanswered: int) -> None:
    gate = Gate.model_validate({"when_no_gate": choice, "confidence": 0.05})
    row = _rows(protocol(tiling=Tiling(width=110, height=100, overlap=0.1, gate=gate)))["sliced + gate"]
    assert (row.false_positives, row.unanswered) == (wrong, unanswered)


def test_every_class_has_its_own_confidence() -> None:
    rows = _rows(protocol(confidence=(0.85, 0.4)))
    assert _counts(rows["sliced"]) == (2, 0, 0)


def test_small_objects_can_be_left_out() -> None:
    rows = _rows(protocol(ignore_area=0.02))
    assert _counts(rows["sliced"]) == (0, 2, 0)  # the right detections met ignored objects


def test_the_sweep_agrees_with_the_table() -> None:
    rules = protocol()
    table = Table(rules, RAWS, TRUTHS, np.ones((1, 3), np.int64))
    names = [name for name, _ in ways(rules.tiling)]
    points = sweep(names, table.answers, TRUTHS, rules)
    assert len(points) == len(names) * len(CONFIDENCES)
    rows = _rows(rules)
    for point in points:
        if point.confidence == 0.4:
            assert point.f1 == rows[point.row].figure("F1").value
    falling = [point.recall for point in points if point.row == "sliced"]
    assert falling == sorted(falling, key=lambda each: -(each or 0))
