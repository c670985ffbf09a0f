"""Folder layouts: what is recognised, what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.decode.predictions import ClassTruth, InstanceTruth, MaskPrediction
from deploy.errors import DeployError
from tests.oracles.real import needs
from training.data.folders import open_folder
from training.data.groups import groups_of
from training.data.layouts import LAYOUTS
from training.data.split import split_groups


def picture(path: Path, height: int = 20, width: int = 30, seed: int = 0) -> Path:
    """Write a small random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def mask(path: Path, height: int = 20, width: int = 30) -> Path:
    """Write a mask whose left half is foreground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((height, width), np.uint8)
    pixels[:, : width // 2] = 255
    assert cv2.imwrite(str(path), pixels)
    return path


def error_of(path: Path, kind: str | None, names: tuple[str, ...] | None = None) -> DeployError:
    """The error that opening and reading everything ends in."""
    with pytest.raises(DeployError) as caught:
        found = open_folder(path, kind, names)
        for index in range(len(found)):
            found.sample(index)
    return caught.value


def test_every_line_of_the_plate_opens() -> None:
    for name in LAYOUTS:
        assert LAYOUTS.open(name).name == name
    files = {path.stem for path in Path("training/data/layouts").glob("*.py")}
    assert files - {"__init__", "protocol", "yolo_labels", "yolo_names", "coco_json"} == set(LAYOUTS)


def test_image_masks(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"p{number}.jpg", seed=number)
        mask(tmp_path / "masks" / f"p{number}.png")
    mask(tmp_path / "masks" / "spare.png")
    found = open_folder(tmp_path, "binary_mask")
    assert (found.layout, found.labelled, len(found)) == ("image_masks", True, 3)
    assert found.ids == ("p0", "p1", "p2")
    assert "1 masks have no picture" in found.notes[0]
    sample = found.sample(0)
    assert isinstance(sample.truth, MaskPrediction)
    assert sample.truth.mask.sum() == 20 * 15
    before = found.sha256
    picture(tmp_path / "images" / "p1.jpg", seed=9)
    assert open_folder(tmp_path, "binary_mask").sha256 != before


def test_masks_that_do_not_fit_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    mask(tmp_path / "masks" / "a.png", width=31)
    error = error_of(tmp_path, "binary_mask")
    assert error.error_id == "MASK-SIZE"
    assert "masks/a.png" in error.summary
    picture(tmp_path / "images" / "b.png")
    error = error_of(tmp_path, "binary_mask")
    assert error.error_id == "MASK-MISSING"
    assert "images/b.png" in error.summary
    picture(tmp_path / "images" / "a.jpg")
    assert error_of(tmp_path, "binary_mask").error_id == "SAME-STEM"


def test_davis(tmp_path: Path) -> None:
    for clip in ("cat", "dog"):
        for frame in range(2):
            picture(tmp_path / "JPEGImages" / "480p" / clip / f"{frame:05d}.jpg")
            mask(tmp_path / "Annotations" / "480p" / clip / f"{frame:05d}.png")
    found = open_folder(tmp_path, "binary_mask")
    assert found.layout == "davis"
    assert found.groups == ("cat", "cat", "dog", "dog")
    assert found.ids[0] == "cat/00000"
    (tmp_path / "Annotations" / "480p" / "dog" / "00001.png").unlink()
    assert error_of(tmp_path, "binary_mask").error_id == "MASK-MISSING"
    (tmp_path / "Annotations").rename(tmp_path / "elsewhere")
    assert not open_folder(tmp_path, "binary_mask").labelled


def test_yolo_boxes_only_when_mixed(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.1.jpg")
    picture(tmp_path / "images" / "b.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\n")
    label = tmp_path / "labels" / "a.1.txt"
    label.write_text("1 0.1 0.1 0.5 0.1 0.5 0.5\n")
    found = open_folder(tmp_path, "yolo")
    assert found.class_names == ("cat", "dog")
    assert found.notes == ("1 pictures have no label file and count as background",)
    truth = found.sample(0).truth
    assert isinstance(truth, InstanceTruth)
    assert truth.masks is not None
    assert truth.masks.shape == (1, 20, 30)
    background = found.sample(1).truth
    assert isinstance(background, InstanceTruth)
    assert background.masks is not None
    assert background.masks.shape == (0, 20, 30)
    label.write_text("1 0.1 0.1 0.5 0.1 0.5 0.5\n0 0.5 0.5 0.2 0.2\n")
    mixed = open_folder(tmp_path, "yolo").sample(0).truth
    assert isinstance(mixed, InstanceTruth)
    assert mixed.masks is None
    assert len(mixed.boxes) == 2


def test_yolo_classes_follow_the_model(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text("names: {0: dog}\n")
    found = open_folder(tmp_path, "yolo", ("cat", "dog"))
    assert found.class_names == ("cat", "dog")
    truth = found.sample(0).truth
    assert isinstance(truth, InstanceTruth)
    assert truth.classes.tolist() == [1]
    assert error_of(tmp_path, "yolo", ("cat",)).error_id == "CLASSES-DIFFER"
    (tmp_path / "labels" / "a.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    error = error_of(tmp_path, "yolo")
    assert error.error_id == "CLASS-RANGE"
    assert "a.txt, line 1" in error.summary


@pytest.mark.parametrize("text", ["names: {1: a, 2: b}", "names: 3", "nc: 2", "names: [a", "- a"])
def test_broken_names_are_refused(tmp_path: Path, text: str) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text(text)
    assert error_of(tmp_path, "yolo").error_id == "YAML-BROKEN"


def test_class_folders(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.jpg")
    picture(tmp_path / "dog" / "b.jpg")
    found = open_folder(tmp_path, "classify")
    assert (found.layout, found.class_names) == ("class_folders", ("cat", "dog"))
    assert found.sample(1).truth == ClassTruth(1)
    assert open_folder(tmp_path, "classify", ("dog", "cat", "cow")).sample(1).truth == ClassTruth(0)
    assert error_of(tmp_path, "classify", ("dog", "cow")).error_id == "CLASSES-DIFFER"
    assert open_folder(tmp_path, "binary_mask").layout == "pictures"


def test_plain_pictures_and_refusals(tmp_path: Path) -> None:
    assert error_of(tmp_path / "no", "yolo").error_id == "DATA-MISSING"
    assert error_of(tmp_path, "yolo").error_id == "DATA-EMPTY"
    picture(tmp_path / "a.jpg")
    found = open_folder(tmp_path, "yolo")
    assert (found.layout, found.labelled, found.sample(0).truth) == ("pictures", False, None)
    (tmp_path / "b.png").write_bytes(b"no picture")
    error = error_of(tmp_path, "yolo")
    assert error.error_id == "IMAGE-UNREADABLE"
    assert "b.png" in error.summary
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    assert error_of(tmp_path, "yolo").error_id == "DATA-KIND"
    assert error_of(tmp_path, "binary_mask").error_id == "DATA-EMPTY"


def test_tensors_take_any_layout_without_truth(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    mask(tmp_path / "masks" / "a.png")
    found = open_folder(tmp_path, "tensors")
    assert (len(found), found.labelled, found.sample(0).truth) == (1, False, None)


def test_groups() -> None:
    assert groups_of(["dog/1", "dog/2", "cat/1"]) == ("dog", "dog", "cat")
    assert groups_of(["a.rf.12", "a.rf.34", "b.rf.1"]) == ("a", "a", "b")
    assert groups_of(["dog_001", "dog_002", "cat_001"]) == ("dog", "dog", "cat")
    assert groups_of(["IMG_001", "IMG_002"]) == ("IMG_001", "IMG_002")
    assert groups_of(["001", "002"]) == ("001", "002")


def test_split_never_cuts_a_clip() -> None:
    groups = [f"clip{number % 10}" for number in range(100)]
    training, validation = split_groups(groups, seed=0)
    assert sorted(training + validation) == list(range(100))
    assert not {groups[i] for i in training} & {groups[i] for i in validation}
    assert 10 <= len(validation) <= 40
    assert (training, validation) == split_groups(groups, seed=0)
    assert any(split_groups(groups, seed=seed) != (training, validation) for seed in range(1, 4))
    with pytest.raises(DeployError, match="SPLIT-EMPTY"):
        split_groups(["one"] * 9, seed=0)


@pytest.mark.real
def test_real_davis() -> None:
    found = open_folder(needs("davis16"), "binary_mask")
    assert (found.layout, len(found), len(set(found.groups))) == ("davis", 279, 5)
    sample = found.sample(0)
    assert sample.image.shape == (480, 854, 3)
    assert isinstance(sample.truth, MaskPrediction)
    assert sample.truth.mask.any()


@pytest.mark.real
def test_real_coco128() -> None:
    found = open_folder(needs("coco128_seg"), "yolo")
    assert len(found) == 64
    assert found.notes == ("2 pictures have no label file and count as background",)
    truth = found.sample(0).truth
    assert isinstance(truth, InstanceTruth)
    assert truth.masks is not None
    areas = (truth.boxes[:, 2] - truth.boxes[:, 0]) * (truth.boxes[:, 3] - truth.boxes[:, 1])
    assert (truth.masks.sum(axis=(1, 2)) <= areas + 4).all()


@pytest.mark.real
def test_real_hardhat_and_pills() -> None:
    found = open_folder(needs("hardhat") / "valid", "yolo")
    assert found.class_names == ("hard_hat", "no_hard_hat", "no_head_wear", "person")
    assert "polygons" in found.notes[0]
    error = error_of(needs("hardhat"), "yolo")
    assert error.error_id == "DATA-SPLITS"
    pills = open_folder(needs("pills") / "train", "yolo")
    assert len(pills.class_names or ()) == 17
    assert len(set(pills.groups)) == 82
