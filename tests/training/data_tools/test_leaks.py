"""Leaks between sets: planted ones are all named and refused; clean sets pass, and splits keep them so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.cli import run
from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError, ExitCode
from tests.oracles.real import needs
from tests.training.data_tools.scenes import folder, photo, write_photo, write_yolo
from training.data.folders import open_folder
from training.data.leaks.find import find_leaks
from training.data.slicing.plan import Splitting
from training.data.slicing.run import slice_folder
from training.data.slicing.tiles import Cutting


def sides(root: Path, training: int = 40, evaluation: int = 25) -> tuple[Path, Path]:
    """Two labelled folders of different pictures, without any order in time."""
    words = ["ash", "birch", "cedar", "elm", "fir", "hazel", "ivy", "larch", "maple", "oak"]
    names = [f"{a}-{b}" for a in words for b in words]
    for side, chosen, seed in (("train", names[:training], 1), ("test", names[50 : 50 + evaluation], 2)):
        write_yolo(root / side, folder(root / side, chosen, seed=seed))
    return root / "train", root / "test"


def plant(training: Path, evaluation: Path, share: float, kind: str) -> set[str]:
    """Training pictures put into the evaluation set; returns their names there."""
    pictures = sorted((training / "images").glob("*.jpg"))
    chosen = np.random.default_rng(3).choice(len(pictures), int(share * len(pictures)), replace=False)
    for number in chosen.tolist():
        target = evaluation / "images" / f"new{chr(97 + number % 26)}{chr(97 + number // 26)}.jpg"
        if kind == "same bytes":
            shutil.copyfile(pictures[number], target)
        else:
            write_photo(target, cv2.imread(str(pictures[number])), quality=70)
    return {path.stem for path in (evaluation / "images").glob("new*.jpg")}


@pytest.mark.parametrize("opened", [False, True], ids=["folders", "opened sets"])
@pytest.mark.parametrize("kind", ["same bytes", "same picture"])
def test_a_fifth_of_training_in_evaluation_is_refused(tmp_path: Path, kind: str, opened: bool) -> None:
    training, evaluation = sides(tmp_path)
    planted = plant(training, evaluation, 0.2, kind)
    pair = [open_folder(side, "yolo") if opened else side for side in (training, evaluation)]
    report = find_leaks(pair[0], pair[1])
    assert report.leaked == planted
    assert {leak.kind for leak in report.leaks} == {kind}
    with pytest.raises(DeployError) as caught:
        report.refuse()
    assert caught.value.error_id == "LEAK"
    assert caught.value.exit_code == ExitCode.INCOMPARABLE
    assert "8 of 33" in caught.value.summary
    report.refuse(("leak",))


def test_clean_sets_pass_with_what_should_be_known(tmp_path: Path) -> None:
    training, evaluation = sides(tmp_path)
    for number in range(3):
        shutil.copyfile(
            training / "images" / "ash-ash.jpg", training / "images" / f"again{'abc'[number]}.jpg"
        )
    report = find_leaks(training, evaluation)
    assert report.leaks == ()
    report.refuse()
    assert {original for _, original in report.copies} == {"againa"}
    assert {copy for copy, _ in report.copies} == {"againb", "againc", "ash-ash"}
    assert report.negatives == 8
    copies, negatives, times = report.warnings
    assert copies.startswith("3 of 43 training pictures are byte-identical")
    assert negatives.startswith("only 8 of 25")
    assert times.startswith("25 evaluation pictures have no known time")


def test_one_folder_and_one_opened_set_are_compared_by_pixels(tmp_path: Path) -> None:
    training, evaluation = sides(tmp_path, 6, 4)
    planted = plant(training, evaluation, 0.5, "same bytes")
    report = find_leaks(training, open_folder(evaluation, "yolo"))
    assert report.leaked == planted
    assert {leak.kind for leak in report.leaks} == {"same bytes"}
    assert report.negatives == open_folder(evaluation, "yolo").ids.__len__() - 3


@pytest.mark.parametrize(("gap", "leaks"), [(5, 1), (6, 0)])
def test_neighbours_in_time_of_one_camera(tmp_path: Path, gap: int, leaks: int) -> None:
    for side, name, seed in (
        ("train", "gate_20240131_120000", 1),
        ("test", f"gate_20240131_12000{gap}", 2),
        ("test", "door_20240131_120001", 3),
    ):
        write_photo(tmp_path / side / f"{name}.jpg", photo(seed))
    report = find_leaks(tmp_path / "train", tmp_path / "test")
    assert [leak.kind for leak in report.leaks] == ["same moment"] * leaks
    assert len(find_leaks(tmp_path / "train", tmp_path / "test", seconds=60).leaks) == 1
    assert report.negatives is None


def test_numbers_of_an_album_are_no_frames(tmp_path: Path) -> None:
    """Neighbours by number leak when they look alike, as frames of a clip do, and not otherwise."""
    for number in range(0, 40, 2):
        write_photo(tmp_path / "train" / f"r{number}.jpg", photo(number))
        write_photo(tmp_path / "test" / f"r{number + 1}.jpg", photo(100 + number))
    assert find_leaks(tmp_path / "train", tmp_path / "test").leaks == ()
    moved = photo(4)
    moved[40:70, 20:60] = 255 - moved[40:70, 20:60]
    write_photo(tmp_path / "test" / "r7.jpg", moved)
    (leak,) = find_leaks(tmp_path / "train", tmp_path / "test").leaks
    assert (leak.evaluation, leak.training, leak.kind) == ("r7", "r4", "same moment")


@pytest.mark.real
def test_real_sides_without_a_leak() -> None:
    source = needs("hardhat")
    assert find_leaks(source / "train", source / "valid").leaks == ()


def test_what_slicing_split_does_not_leak(tmp_path: Path) -> None:
    names = [
        f"cam{c}_20240101_1{h}{m:02d}{s:02d}"
        for c in (1, 2)
        for h in (0, 1, 2)
        for m in (0, 9)
        for s in (0, 3)
    ]
    source = write_yolo(tmp_path / "source", folder(tmp_path / "source", names))
    how = Cutting(Tiling(width=64, height=64, overlap=0.2), keep_empty=1.0)
    splitting = Splitting(0.3, block_seconds=60)
    slice_folder(source, tmp_path / "out", how, splitting, lambda *_: None, workers=1)
    report = find_leaks(tmp_path / "out" / "train", tmp_path / "out" / "held_out")
    assert report.leaks == ()
    assert report.untimed == 0
    same = find_leaks(tmp_path / "out" / "train", tmp_path / "out" / "valid", seconds=10**7)
    assert {leak.kind for leak in same.leaks} == {"same moment"}
    assert len(same.leaks) == same.evaluation


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training, evaluation = sides(tmp_path, 10, 5)
    assert run(["data", "leaks", str(training), str(evaluation), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "PASS"
    plant(training, evaluation, 0.2, "same bytes")
    assert run(["data", "leaks", str(training), str(evaluation)]) == ExitCode.INCOMPARABLE
    assert "same bytes" in capsys.readouterr().out
    assert run(["data", "leaks", str(training), str(evaluation), "--allow", "leak"]) == 0
    assert run(["data", "leaks", str(training), str(tmp_path / "no")]) == 1
