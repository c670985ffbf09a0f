"""Objects cut by tiles: sahi's boxes where it keeps them, ignored ones where it would drop them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sahi.slicing import get_slice_bboxes, process_coco_annotations
from sahi.utils.coco import CocoAnnotation

from deploy.decode.predictions import InstanceTruth
from training.data.slicing.cut import cut

SIZE = (300, 420)


def scene(seed: int, count: int) -> InstanceTruth:
    """Random boxes on a picture of 420 x 300, with whole corners."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, (SIZE[1] - 4, SIZE[0] - 4), (count, 2))
    high = np.minimum(low + rng.integers(3, 90, (count, 2)), (SIZE[1], SIZE[0]))
    boxes = np.concatenate([low, high], axis=1).astype(np.float32)
    return InstanceTruth(SIZE, boxes, rng.integers(0, 3, count))


def tiles(side: int, overlap: float) -> np.ndarray:
    return np.array(get_slice_bboxes(*SIZE, side, side, False, overlap, overlap), np.int32)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from([64, 97, 160]), st.sampled_from([0.0, 0.2]))
def test_what_counts_is_what_sahi_keeps(seed: int, count: int, side: int, overlap: float) -> None:
    truth, windows = scene(seed, count), tiles(side, overlap)
    annotations = [
        CocoAnnotation(bbox=[*map(int, (b[0], b[1], b[2] - b[0], b[3] - b[1]))], category_id=int(c))
        for b, c in zip(truth.boxes, truth.classes, strict=True)
    ]
    for window, found in zip(windows, cut(truth, windows, 0.3), strict=True):
        kept = process_coco_annotations(annotations, window.tolist(), 0.3)
        assert found.ignore is not None
        counted = found.boxes[~found.ignore]
        theirs = np.array([[x, y, x + w, y + h] for x, y, w, h in (a.bbox for a in kept)]).reshape(-1, 4)
        assert np.array_equal(counted, theirs)
        assert found.classes[~found.ignore].tolist() == [a.category_id for a in kept]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0.05, 1.0))
def test_every_pixel_of_an_object_is_labelled_or_ignored(seed: int, count: int, share: float) -> None:
    truth, windows = scene(seed, count), tiles(97, 0.2)
    for window, found in zip(windows, cut(truth, windows, share), strict=True):
        left, top, right, bottom = window
        claimed, there = (np.zeros((bottom - top, right - left), np.int32) for _ in range(2))
        for x1, y1, x2, y2 in found.boxes.astype(int):
            claimed[y1:y2, x1:x2] += 1
        for x1, y1, x2, y2 in truth.boxes.astype(int) - [left, top, left, top]:
            there[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] += 1
        assert np.array_equal(claimed, there)


def test_masks_and_the_pictures_own_ignores_are_cut_too() -> None:
    masks = np.zeros((2, 40, 60), np.bool_)
    masks[0, 5:15, 5:25] = masks[1, 20:30, 18:22] = True
    boxes = np.array([[5, 5, 25, 15], [18, 20, 22, 30]], np.float32)
    truth = InstanceTruth((40, 60), boxes, np.array([1, 0]), masks, np.array([False, True]))
    left, right = cut(truth, np.array([[0, 0, 20, 40], [20, 0, 60, 40]], np.int32), 0.3)
    assert left.masks is not None and right.masks is not None
    assert left.boxes.tolist() == [[5, 5, 20, 15], [18, 20, 20, 30]]
    assert left.ignore is not None and left.ignore.tolist() == [False, True]
    assert right.ignore is not None and right.ignore.tolist() == [True, True]
    assert np.array_equal(right.masks, masks[:, :, 20:])
    assert right.size == (40, 40)
