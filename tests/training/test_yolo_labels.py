"""The YOLO label parser: round trips, and every broken line is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import DeployError
from tests.oracles.real import needs
from training.data.layouts.yolo_labels import parse_labels, rasterise, to_truth

WHERE = Path("labels/a.txt")
fraction = st.floats(0, 1, allow_nan=False)
side = st.floats(0.01, 1, allow_nan=False)
box = st.tuples(st.integers(0, 9), fraction, fraction, side, side)
polygon = st.tuples(
    st.integers(0, 9), st.lists(fraction, min_size=6, max_size=20).filter(lambda v: len(v) % 2 == 0)
)


@given(st.lists(st.one_of(box, polygon), max_size=6))
def test_whatever_is_written_is_read(objects: list[tuple[object, ...]]) -> None:
    lines = []
    for item in objects:
        values = item[1:] if len(item) == 5 else item[1]
        lines.append(" ".join([str(item[0]), *(repr(float(v)) for v in values)]))  # type: ignore[arg-type]
    labels = parse_labels("\n\n".join(lines) + "\n", WHERE, 10)
    assert len(labels) == len(set(lines))
    for label, line in zip(labels, dict.fromkeys(lines), strict=True):
        fields = line.split()
        assert label.klass == int(fields[0])
        assert label.polygon == (len(fields) > 5)
        assert label.points.min() >= 0
        assert label.points.max() <= 1


@given(st.text(alphabet="0123456789.- \n\tabcnaife+", max_size=120))
def test_any_text_is_parsed_or_refused_by_name(text: str) -> None:
    try:
        parse_labels(text, WHERE, 5)
    except DeployError as error:
        assert error.error_id in ("LABEL-BROKEN", "CLASS-RANGE")
        assert "labels/a.txt, line" in error.summary


@pytest.mark.parametrize(
    ("line", "error_id"),
    [
        ("0 0.5 0.5 0.1", "LABEL-BROKEN"),
        ("0 0.5 0.5 0.1 0.1 0.9", "LABEL-BROKEN"),
        ("0 0.5 0.5 0.1 0.1 0.1 0.1 0.2", "LABEL-BROKEN"),
        ("0 0.5 0.5 0 0.1", "LABEL-BROKEN"),
        ("0 0.5 0.5 nan 0.1", "LABEL-BROKEN"),
        ("0 320 240 50 50", "LABEL-BROKEN"),
        ("0.5 0.5 0.5 0.1 0.1", "LABEL-BROKEN"),
        ("-1 0.5 0.5 0.1 0.1", "LABEL-BROKEN"),
        ("cat 0.5 0.5 0.1 0.1", "LABEL-BROKEN"),
        ("7 0.5 0.5 0.1 0.1", "CLASS-RANGE"),
    ],
)
def test_broken_lines_are_named(line: str, error_id: str) -> None:
    with pytest.raises(DeployError) as caught:
        parse_labels(f"0 0.5 0.5 0.2 0.2\n{line}\n", WHERE, 7)
    assert caught.value.error_id == error_id
    assert "line 2" in caught.value.summary


def test_boxes_and_polygons_become_pixels() -> None:
    labels = parse_labels("1 0.5 0.5 0.5 0.25\n0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n", WHERE, 2)
    truth = to_truth(labels, [4, 5], (8, 16), with_masks=False)
    assert truth.masks is None
    assert truth.classes.tolist() == [5, 4]
    assert truth.boxes.tolist() == [[4, 3, 12, 5], [4, 2, 12, 6]]
    masks = to_truth(labels[1:], None, (8, 16), with_masks=True).masks
    assert masks is not None
    assert masks.sum() == 8 * 4
    assert masks[0, 2:6, 4:12].all()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 30)), min_size=3, max_size=9))
def test_rasterise_is_the_even_odd_rule(points: list[tuple[float, float]]) -> None:
    """Against crossing counts at every pixel centre."""
    outline = np.array(points)
    mask = rasterise(outline, (30, 40))
    inside = np.zeros((30, 40), bool)
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (min(y0, y1) <= y) & (y < max(y0, y1))
            inside ^= crosses & (x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x)
    assert (mask != inside).mean() < 0.01  # the last bit of a crossing on a pixel centre


@pytest.mark.real
def test_rasterise_agrees_with_coco() -> None:
    masks = pytest.importorskip("pycocotools.mask")
    folder = needs("coco128_seg") / "labels"
    scores, areas = [], []
    for path in sorted(folder.glob("*.txt"))[:20]:
        for label in parse_labels(path.read_text(), path, 80):
            pixels = label.points * (640, 480)
            ours = rasterise(pixels, (480, 640))
            theirs = masks.decode(masks.frPyObjects([pixels.ravel().tolist()], 480, 640))[..., 0] > 0
            scores.append((ours & theirs).sum() / max((ours | theirs).sum(), 1))
            areas.append(ours.sum() / max(theirs.sum(), 1))
    assert np.mean(scores) > 0.98
    assert abs(np.mean(areas) - 1) < 0.01
