"""Tiles, their balance and pasting: nothing is lost or invented, and chance comes from the stream alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tiling import Tiling
from deploy.decode.nms import box_iou
from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from training.data.boxes.balance import Balance
from training.data.boxes.paste import ObjectBank
from training.data.boxes.pool import TilePool
from training.data.boxes.sides import box_sides
from training.data.boxes.tiles import TiledPictures, cut_pictures
from training.data.cctv.generated import cctv_set
from training.data.samples import EvaluationSet

TILING = Tiling(width=160, height=160, overlap=0.2)
SPEC = Preprocess(input_name="image", width=160, height=160, resize="letterbox")


@pytest.fixture(scope="module")
def world() -> EvaluationSet:
    """Twelve frames."""
    return cctv_set("training", 12, 1)


@pytest.fixture(scope="module")
def cut(world: EvaluationSet) -> TiledPictures:
    """Their tiles."""
    return cut_pictures(world, TILING, 0.15)


def test_every_object_counts_on_some_tile(cut: TiledPictures) -> None:
    """People are smaller than the overlap: each is whole on at least one tile, at its own place."""
    for index, truth in enumerate(cut.truths):
        for box, klass in zip(truth.boxes, truth.classes, strict=True):
            places = []
            for tile in (each for each in cut.tiles if each.picture == index):
                counted = np.ones(len(tile.truth.classes), np.bool_)
                if tile.truth.ignore is not None:
                    counted = ~tile.truth.ignore
                back = tile.truth.boxes + np.tile(tile.window[:2], 2)
                places += [
                    True
                    for row in np.flatnonzero(counted & (tile.truth.classes == klass))
                    if np.allclose(back[row], box)
                ]
            assert places


def test_tiles_are_cut_from_their_pictures_and_keep_their_group(
    world: EvaluationSet, cut: TiledPictures
) -> None:
    tiles = cut.as_set()
    assert set(tiles.groups) <= set(world.groups)
    for number in (0, len(tiles) // 2, len(tiles) - 1):
        tile, sample = cut.tiles[number], tiles.sample(number)
        left, top, right, bottom = tile.window.tolist()
        assert np.array_equal(sample.image, world.sample(tile.picture).image[top:bottom, left:right])
        assert sample.group == world.groups[tile.picture]


def test_a_share_of_empty_tiles_is_kept_by_name(world: EvaluationSet) -> None:
    all_of_them = cut_pictures(world, TILING)
    some = cut_pictures(world, TILING, 0.15, seed=1)
    none = cut_pictures(world, TILING, 0.0)
    assert all_of_them.dropped == 0
    full = len(none.tiles)
    assert len(some.tiles) == full + round(0.15 * full)
    assert all(len(tile.truth.classes) for tile in none.tiles)
    names = {(tile.picture, *tile.window.tolist()) for tile in some.tiles}
    fewer = cut_pictures(world.subset(range(6)), TILING, 0.15, seed=1)
    again = {
        (tile.picture, *tile.window.tolist()) for tile in cut_pictures(world, TILING, 0.15, seed=1).tiles
    }
    assert names == again
    assert fewer.empty < some.empty


def test_the_balance_counts_what_is_there(cut: TiledPictures) -> None:
    balance = Balance.of(cut)
    for klass, share in enumerate(balance.shares):
        assert share.objects == sum(int((truth.classes == klass).sum()) for truth in cut.truths)
    assert balance.imbalance == max(s.objects for s in balance.shares) / min(
        s.objects for s in balance.shares
    )
    assert balance.tiles == len(cut.tiles)
    counted = sum(
        len(t.truth.classes) - (0 if t.truth.ignore is None else int(t.truth.ignore.sum())) for t in cut.tiles
    )
    assert balance.on_tiles == counted


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_pasted_boxes_hold_the_pasted_pixels_and_touch_nothing(cut: TiledPictures, seed: int) -> None:
    bank = ObjectBank(cut)
    canvas = np.full((160, 160, 3), 7, np.uint8)
    standing = InstanceTruth((160, 160), np.array([[60, 60, 100, 100]], np.float32), np.array([1]))
    image, truth = bank.paste(canvas, standing, (1.0, 1.0), np.random.default_rng(seed), 3)
    added = truth.boxes[1:]
    assert 1 <= len(added) <= 3  # ultralytics' copy_paste adds none to boxes
    assert (box_iou(added, truth.boxes) > 0).sum() == len(added)
    changed = (image != 7).any(axis=2)
    for box in added:
        left, top, right, bottom = np.rint(box).astype(int)
        assert changed[top:bottom, left:right].mean() > 0.95
    assert not changed[60:100, 60:100].any()
    assert (canvas == 7).all()


def test_rare_classes_are_pasted_as_often_as_common_ones(cut: TiledPictures) -> None:
    bank = ObjectBank(cut)
    assert bank.counts[0] > 2 * bank.counts[1] > 0
    nothing = InstanceTruth((160, 160), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    canvas = np.zeros((160, 160, 3), np.uint8)
    classes = np.concatenate(
        [bank.paste(canvas, nothing, (1, 1), np.random.default_rng(n), 3)[1].classes for n in range(200)]
    )
    assert 0.4 < (classes == 1).mean() < 0.6


def test_a_draw_is_a_function_of_its_stream_and_every_augmentation_changes_it(cut: TiledPictures) -> None:
    plain = {"zoom": 1.0, "mirror": False, "paste": 0.0}
    pool = TilePool(cut, SPEC, **plain)  # type: ignore[arg-type]
    first, second = (pool.draw(3, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.truth.boxes, second.truth.boxes)
    for changed in ({"zoom": 1.5}, {"mirror": True}, {"paste": 1.0}):
        other = TilePool(cut, SPEC, **{**plain, **changed})  # type: ignore[arg-type]
        draws = [
            (pool.draw(3, np.random.default_rng(n)), other.draw(3, np.random.default_rng(n)))
            for n in range(6)
        ]
        assert any(not np.array_equal(a.image, b.image) for a, b in draws), changed
    assert all(
        TilePool(cut, SPEC, zoom=1.0, mirror=False, paste=1.0).draw(3, np.random.default_rng(n)).pasted
        for n in range(4)
    )


def test_drawn_boxes_lie_on_their_people(cut: TiledPictures) -> None:
    """The oracle: paint every person in one colour in the picture, draw, and compare boxes with the paint."""
    painted = cut_pictures(_painted(cut), TILING, 0.0)
    pool = TilePool(painted, SPEC, zoom=1.3, mirror=True, paste=0.0)
    seen = 0
    for index in range(0, len(painted.tiles), 5):
        drawn = pool.draw(index, np.random.default_rng(index))
        red = (drawn.image[..., 0].astype(int) - drawn.image[..., 1]) > 100
        ignore = (
            drawn.truth.ignore
            if drawn.truth.ignore is not None
            else np.zeros(len(drawn.truth.boxes), np.bool_)
        )
        for box in drawn.truth.boxes[~ignore]:
            left, top, right, bottom = np.rint(box).astype(int)
            inner = red[top + 1 : bottom - 1, left + 1 : right - 1]
            assert inner.size == 0 or inner.mean() > 0.9
            seen += 1
        assert red.sum() <= sum(
            np.prod(np.ceil(box[2:]) - np.floor(box[:2]) + 2) for box in drawn.truth.boxes
        )
    assert seen > 10


def _painted(cut: TiledPictures) -> EvaluationSet:
    from training.data.samples import Entry

    def read(index: int) -> tuple[np.ndarray, InstanceTruth]:
        image = np.full((270, 480, 3), 60, np.uint8)
        for box in cut.truths[index].boxes:
            left, top, right, bottom = np.rint(box).astype(int)
            image[top:bottom, left:right] = (255, 0, 0)
        return image, cut.truths[index]

    entries = [
        Entry(str(index), str(index), lambda index=index: read(index), lambda index=index: str(index))  # type: ignore[misc]
        for index in range(len(cut.truths))
    ]
    return EvaluationSet("painted", entries, labelled=True, class_names=cut.source.class_names)


def test_folders_are_split_between_cameras_and_times(cameras: Path) -> None:
    training, validation = box_sides(str(cameras), 0)
    assert not set(training.groups) & set(validation.groups)
    assert len(training) + len(validation) == 9


def test_pictures_without_boxes_are_refused(tmp_path: Path) -> None:
    from deploy.vision.images import write_png

    write_png(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(DeployError, match="DATA-UNLABELLED"):
        box_sides(str(tmp_path), 0)
