"""Worlds of prompts: shapes are the same every time and visible; a YOLO folder asks by class name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.prompts.types import World
from deploy.vision.images import write_png
from tests.oracles.real import needs
from training.data.prompted_shapes import PARTS, PromptedShapes, shapes_vocabulary
from training.data.prompted_yolo import NEUTRAL, PromptedYolo, read_class_names


def test_nine_concepts_and_fifteen_phrases() -> None:
    vocabulary = shapes_vocabulary()
    assert len(vocabulary.phrases) == 15
    assert len(vocabulary.meanings["shape"]) == 9
    assert vocabulary.neutral not in vocabulary.phrases
    assert vocabulary.meanings["red shape"] == {"red disc", "red ring", "red cross"}
    assert vocabulary.meanings["disc"] == {"red disc", "green disc", "blue disc"}
    assert sorted(len(vocabulary.meanings[each]) for each in vocabulary.phrases) == [1] * 9 + [3] * 6


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), index=st.integers(0, 400), side=st.sampled_from([24, 32, 48]))
def test_pictures_repeat_and_their_objects_are_seen(seed: int, index: int, side: int) -> None:
    first = PromptedShapes(401, seed, side=side).picture(index)
    again = PromptedShapes(500, seed, side=side, empty=0.0).picture(index)
    assert (first.image == again.image).all()
    assert first.image.shape == (side, side, 3)
    assert 1 <= len(first.objects) <= 3
    covered = np.zeros((side, side), int)
    for each in first.objects:
        assert each.mask.dtype == np.bool_
        assert each.mask.sum() >= 10
        covered += each.mask
        colour = ("red", "green", "blue").index(each.concept.split()[0])
        assert first.image[each.mask].mean(axis=0).argmax() == colour
    assert covered.max() == 1  # a pixel shows one object


def test_parts_and_seeds_differ_and_hashes_tell() -> None:
    worlds = [PromptedShapes(9, seed, part=part) for seed in (0, 1) for part in PARTS]
    assert len({world.sha256 for world in worlds}) == len(worlds)
    assert len({world.picture(3).image.tobytes() for world in worlds}) == len(worlds)
    assert len({world.picture(3).id for world in worlds}) == len(PARTS)
    assert PromptedShapes(9).sha256 == PromptedShapes(9).sha256
    assert PromptedShapes(9).sha256 != PromptedShapes(9, empty=0.5).sha256


def test_shares_of_empty_and_noise_pictures() -> None:
    world = PromptedShapes(1000, 3, empty=0.2, noise=0.1)
    pictures = [world.picture(index) for index in range(len(world))]
    bare = [each for each in pictures if not each.objects]
    noisy = [each for each in bare if each.image.std() > 60]
    assert 0.25 < len(bare) / 1000 < 0.35
    assert 0.07 < len(noisy) / 1000 < 0.13
    whole = PromptedShapes(5, empty=0.0, noise=1.0)
    assert all(not whole.picture(index).objects for index in range(5))


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"seed": -1},
        {"side": 8},
        {"part": "test"},
        {"empty": 0.7, "noise": 0.7},
        {"empty": -0.1},
    ],
    ids=str,
)
def test_a_world_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DeployError) as caught:
        PromptedShapes(**{"count": 5, **wrong})  # type: ignore[arg-type]
    assert caught.value.error_id == "WORLD-SETTINGS"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten 40x20 pictures with a left and a right square; every third shows nothing."""
    (tmp_path / "labels").mkdir()
    for number in range(10):
        write_png(tmp_path / "images" / f"p{number}" / "a.png", np.full((20, 40, 3), number, np.uint8))
        lines = ["0 0.0 0.0 0.5 0.0 0.5 1.0 0.0 1.0", "1 0.75 0.0 1.0 0.0 1.0 0.5 0.75 0.5"]
        (tmp_path / "labels" / f"p{number}").mkdir()
        (tmp_path / "labels" / f"p{number}" / "a.txt").write_text("\n".join(lines if number % 3 else []))
    (tmp_path / "data.yaml").write_text("names: [cat, tea cup]\n")
    return tmp_path


def test_a_folder_of_polygons_is_a_world(folder: Path) -> None:
    world: World = PromptedYolo(folder)
    assert len(world) == 10
    assert world.vocabulary.phrases == ("cat", "tea cup")
    assert world.vocabulary.neutral == NEUTRAL
    pictures = [world.picture(index) for index in range(10)]
    assert sum(not each.objects for each in pictures) == 4
    full = next(each for each in pictures if each.objects)
    assert [each.concept for each in full.objects] == ["cat", "tea cup"]
    assert full.objects[0].mask.shape == (20, 40)
    assert full.objects[0].mask[:, :20].all()
    assert world.vocabulary.meant(full, "tea cup") == (1,)
    with pytest.raises(IndexError):
        world.picture(10)


def test_parts_of_a_folder_share_no_picture(folder: Path) -> None:
    worlds = [PromptedYolo(folder, part=part) for part in ("training", "validation", "held_out")]
    ids = [{world.picture(i).id for i in range(len(world))} for world in worlds]
    assert sum(map(len, ids)) == 10
    assert len(set().union(*ids)) == 10
    assert len({world.sha256 for world in worlds}) == 3


def test_smaller_pictures_have_smaller_masks(folder: Path) -> None:
    world = PromptedYolo(folder, longest=20)
    full = next(p for p in map(world.picture, range(10)) if p.objects)
    assert full.image.shape == (10, 20, 3)
    assert full.objects[0].mask.sum() == 100
    assert world.sha256 != PromptedYolo(folder).sha256


def test_what_cannot_be_asked_for_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "data.yaml").unlink()
    with pytest.raises(DeployError) as caught:
        PromptedYolo(folder)
    assert caught.value.error_id == "CLASS-NAMES-MISSING"
    names = tmp_path / "names.txt"
    names.write_text("cat\ntea cup\n")
    assert PromptedYolo(folder, class_names=read_class_names(names)).vocabulary.phrases == ("cat", "tea cup")
    names.write_text("cat\ncat\n")
    with pytest.raises(DeployError) as caught:
        read_class_names(names)
    assert caught.value.error_id == "CLASS-NAMES-MISSING"
    with pytest.raises(DeployError) as caught:
        read_class_names(tmp_path / "nowhere.txt")
    assert caught.value.error_id == "FILE-UNREADABLE"
    with pytest.raises(DeployError) as caught:
        PromptedYolo(folder, part="test")
    assert caught.value.error_id == "WORLD-SETTINGS"
    (folder / "labels" / "p1" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    world = PromptedYolo(folder, class_names=("cat", "tea cup"))
    with pytest.raises(DeployError) as caught:
        [world.picture(index) for index in range(10)]
    assert caught.value.error_id == "MASKS-MISSING"


def test_real_coco_pictures() -> None:
    world = PromptedYolo(needs("coco128_seg"), class_names=[f"class {n}" for n in range(80)], longest=128)
    assert len(world) == 64
    pictures = [world.picture(index) for index in range(8)]
    assert all(max(each.image.shape) == 128 for each in pictures)
    assert sum(len(each.objects) for each in pictures) > 20
