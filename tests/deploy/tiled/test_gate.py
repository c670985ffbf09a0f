"""The gate keeps what the whole picture hints at, and says what it does without hints."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.contracts.tiling import Gate, Merge, Tiling
from deploy.tiled.finish import finish
from deploy.tiled.raw import FULL_IMAGE, RawDetections

Row = tuple[float, float, float, float, float, int, int]
SEEN: Row = (100, 100, 120, 110, 0.9, 0, 3)
FALSE: Row = (300, 300, 320, 320, 0.8, 0, 7)


def _raw(*rows: Row) -> RawDetections:
    table = np.asarray(rows, np.float32).reshape(-1, 7)
    return RawDetections(
        table[:, :4],
        table[:, 4],
        table[:, 5].astype(np.int64),
        table[:, 6].astype(np.int32),
        (400, 400),
    )


def _tiling(gate: Gate | None, **more: object) -> Tiling:
    return Tiling.model_validate({"width": 64, "height": 64, "gate": gate, **more})


def _hint(shift: float, score: float = 0.1, label: int = 0) -> Row:
    return (100 + shift, 100, 120 + shift, 110, score, label, FULL_IMAGE)


def _scores(raw: RawDetections, gate: Gate | None, **more: object) -> list[float] | None:
    found = finish(raw, _tiling(gate, **more), 0.5)
    return None if found is None else [round(float(score), 3) for score in found.scores]


@pytest.mark.parametrize(
    ("hint", "kept"),
    [
        (_hint(0), [0.9]),
        (_hint(20), [0.9]),
        (_hint(20.5), []),
        (_hint(0, score=0.04), []),
        (_hint(0, label=1), []),
    ],
)
def test_a_hint_is_near_sure_enough_and_of_the_class(hint: Row, kept: list[float]) -> None:
    """Radius 1 reaches as far as the box's longer side, 20 pixels, along each axis."""
    elsewhere: Row = (10, 10, 12, 12, 0.2, 0, FULL_IMAGE)
    assert _scores(_raw(SEEN, FALSE, hint, elsewhere), Gate()) == kept


@pytest.mark.parametrize(("when", "kept"), [("drop", []), ("keep", [0.9, 0.8]), ("skip", None)])
def test_pictures_without_hints(when: str, kept: list[float] | None) -> None:
    """Three words, three outcomes; no answer is not an empty answer."""
    raw = _raw(SEEN, FALSE, _hint(0, score=0.01))
    assert _scores(raw, Gate.model_validate({"when_no_gate": when})) == kept


def test_the_whole_picture_is_a_hint_or_part_of_the_answer() -> None:
    """Its boxes join the answer without a gate, and with one only where the tiling says so."""
    far: Row = (10, 10, 30, 30, 0.7, 0, FULL_IMAGE)
    raw = _raw(SEEN, _hint(0), far)
    assert _scores(raw, None) == [0.9, 0.7]
    assert _scores(raw, Gate()) == [0.9]
    assert _scores(raw, Gate(), full_image=True) == [0.9, 0.7]


def test_answers_come_best_first_and_each_class_has_its_confidence() -> None:
    """Whatever order the merge works in."""
    raw = _raw((0, 0, 9, 9, 0.6, 1, 0), (20, 20, 30, 30, 0.7, 0, 0), (50, 50, 60, 60, 0.65, 1, 1))
    found = finish(raw, _tiling(None), np.asarray([0.1, 0.62], np.float32))
    assert found is not None
    assert found.classes.tolist() == [0, 1]
    assert found.masks is None
    merged = finish(raw, _tiling(None, merge=Merge(kind="none")), 0.1)
    assert merged is not None
    assert merged.scores.tolist() == sorted(raw.scores.tolist(), reverse=True)
