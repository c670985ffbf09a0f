"""The camera world: deterministic, exactly labelled, imbalanced, and read back from its folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from training.data.cctv.figures import CLASSES, DECOYS, decoy, paste, person
from training.data.cctv.generated import cctv_set
from training.data.cctv.world import CctvWorld
from training.data.cctv.writer import write_cctv
from training.data.folders import open_folder
from training.data.leaks.moments import moments_of
from training.data.split import split_groups


def test_the_same_numbers_give_the_same_bytes_and_others_do_not() -> None:
    one, again, other = (CctvWorld(seed).visit(1, 5, 2) for seed in (0, 0, 1))
    for first, second in zip(one, again, strict=True):
        assert np.array_equal(first.image, second.image)
        assert np.array_equal(first.boxes, second.boxes)
    assert not np.array_equal(one[0].image, other[0].image)
    # A visit does not depend on which were made before, nor on how many frames are asked for.
    assert np.array_equal(CctvWorld(0).visit(1, 5, 4)[0].image, one[0].image)


def test_people_are_small_rare_without_helmets_and_sometimes_absent() -> None:
    found = cctv_set("training", 90, 1)
    truths = [found.sample(index).truth for index in range(len(found))]
    boxes = np.concatenate([truth.boxes for truth in truths if isinstance(truth, InstanceTruth)])
    classes = np.concatenate([truth.classes for truth in truths if isinstance(truth, InstanceTruth)])
    heights = boxes[:, 3] - boxes[:, 1]
    assert 9 <= heights.min() < 11 < 13 < heights.max() <= 14.5
    assert 0.12 < (classes == CLASSES.index("without_helmet")).mean() < 0.25
    empty = sum(len(truth.classes) == 0 for truth in truths if isinstance(truth, InstanceTruth))
    assert 0.05 < empty / len(found) < 0.3


def test_judging_cameras_are_never_trained_on() -> None:
    world = CctvWorld()
    cameras = {
        part: {c for c, _ in world.visits(part, 30)} for part in ("training", "validation", "held_out")
    }
    assert cameras["training"] == cameras["validation"] == {0, 1, 2}
    assert cameras["held_out"] == {3, 4}
    groups = [set(cctv_set(part, 30, 1).groups) for part in ("training", "validation", "held_out")]
    assert not groups[0] & groups[1]
    assert not groups[1] & groups[2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(20, 60), st.floats(20, 60), st.floats(9, 14), st.integers(0, 1))
def test_a_box_is_exactly_where_pixels_changed(
    seed: int, x: float, y: float, tall: float, klass: int
) -> None:
    """The oracle: draw on an impossible colour and look which pixels are no longer it."""
    frame = np.full((80, 80, 3), -500, np.float32)
    box = paste(frame, person(np.random.default_rng(seed), klass, tall), x, y)
    rows, columns = np.nonzero((frame != -500).any(axis=2))
    changed = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert np.all(np.floor(box[:2]) == changed[:2])
    assert np.all(np.ceil(box[2:]) == changed[2:])
    assert abs((box[3] - box[1]) - tall) < 0.5


@pytest.mark.parametrize("kind", DECOYS)
def test_decoys_leave_the_size_of_people(kind: str) -> None:
    frame = np.zeros((80, 80, 3), np.float32)
    box = paste(frame, decoy(np.random.default_rng(0), kind, 12.0), 40, 60)
    assert 9 <= box[3] - box[1] <= 13
    assert frame.any()


def test_a_written_world_is_read_back(tmp_path: Path) -> None:
    out = tmp_path / "world"
    shots = write_cctv(out, "training", 4, 2, seed=3)
    found = open_folder(out, "yolo")
    assert found.class_names == CLASSES
    written = [shot.file.removeprefix("images/").removesuffix(".png") for shot in shots]
    assert found.ids == tuple(sorted(written))
    memory = cctv_set("training", 4, 2, 3)
    memory = memory.subset([memory.ids.index(name) for name in found.ids])
    assert found.groups == memory.groups
    for index in range(len(found)):
        disk, made = found.sample(index), memory.sample(index)
        assert np.array_equal(disk.image, made.image)
        assert isinstance(disk.truth, InstanceTruth)
        assert isinstance(made.truth, InstanceTruth)
        assert np.abs(disk.truth.boxes - made.truth.boxes).max(initial=0) <= 1e-4
        assert np.array_equal(disk.truth.classes, made.truth.classes)
    moments = {moment for moment in moments_of(found.ids, out) if moment.unit == "seconds"}
    assert len(moments) == len(found)
    assert {moment.camera for moment in moments} == {"camera-0", "camera-1", "camera-2"}
    times = [datetime.fromisoformat(shot.time) for shot in shots]
    assert (times[1] - times[0]).total_seconds() == 2
    training, validation = split_groups(found.groups, 0)
    assert not {found.groups[i] for i in training} & {found.groups[i] for i in validation}
    with pytest.raises(DeployError, match="OUTPUT-EXISTS"):
        write_cctv(out, "training", 1, 1, seed=3)


def test_frames_that_cannot_be() -> None:
    with pytest.raises(DeployError, match="CCTV-SIZE"):
        CctvWorld(0, 40, 480)


def test_a_camera_keeps_its_scenery() -> None:
    """Without people and decoys two visits of one camera are alike, two cameras are not."""
    world = CctvWorld()
    same = [world.visit(0, visit, 1)[0].image for visit in (0, 3)]
    other = world.visit(1, 1, 1)[0].image

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        small = [cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (60, 34)).ravel() for each in (a, b)]
        return float(np.corrcoef(*small)[0, 1])

    assert alike(*same) > 0.9 > alike(same[0], other)
