"""Sliced folders: split before cut, every object somewhere, provenance, resumption, and outlines."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from deploy.cli import run
from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from tests.training.data_tools.scenes import folder, write_yolo
from training.data.folders import open_folder
from training.data.leaks.moments import Moment, blocks, moment_of, moments_of
from training.data.slicing.outline import clip_outline
from training.data.slicing.plan import Splitting, sides_of
from training.data.slicing.run import slice_folder
from training.data.slicing.tiles import Cutting

TILING = Tiling(width=64, height=64, overlap=0.2)
NAMES = [
    f"cam{camera}_2024010{day}_1200{second:02d}" for camera in (1, 2) for day in (1, 2) for second in (0, 20)
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "source", folder(tmp_path / "source", NAMES))


def told(done: int, before: int) -> None:
    """Nobody listens."""


def cut_all(source: Path, out: Path, **how: float) -> dict[str, object]:
    return slice_folder(source, out, Cutting(TILING, **how), Splitting(), told, workers=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "camera", "time", "unit"),
    [
        ("gate2_20240131_120501", "gate2", 1706702701.0, "seconds"),
        ("gate2/2024-01-31T12-05-01", "gate2", 1706702701.0, "seconds"),
        ("gate2_20240131_120501_0007", "gate2", 1706702701.0, "seconds"),
        ("gate2/000123", "gate2", 123.0, "frames"),
        ("gate2-0007_jpg.rf.0a1b", "gate2", 7.0, "frames"),
        ("20240231_120501", "20240231", 120501.0, "frames"),
        ("000123", "000123", None, "frames"),
        ("portrait", "portrait", None, "frames"),
    ],
)
def test_moments_from_names(name: str, camera: str, time: float | None, unit: str) -> None:
    assert moment_of(name) == Moment(camera, time, unit)


def test_moments_from_a_list(tmp_path: Path) -> None:
    (tmp_path / "moments.csv").write_text("file,camera,time\na.jpg,north,2024-01-31T12:05:01\nb.jpg,south,\n")
    assert moments_of(["a", "b", "c_7"], tmp_path) == (
        Moment("north", 1706702701.0, "seconds"),
        Moment("south"),
        Moment("c", 7.0, "frames"),
    )
    (tmp_path / "moments.csv").write_text("name,time\na.jpg,2\n")
    with pytest.raises(DeployError, match="MOMENTS-BROKEN"):
        moments_of(["a"], tmp_path)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5000)), min_size=8, max_size=80),
    st.floats(0.05, 0.6),
    st.integers(0, 99),
)
def test_no_held_out_picture_has_a_neighbour_in_training(
    taken: list[tuple[int, int]], share: float, seed: int
) -> None:
    moments = [Moment(f"cam{camera}", float(time), "seconds") for camera, time in taken]
    how = Splitting(share, seed, block_seconds=300)
    if len(set(blocks(moments, 300, 300))) < 2:
        return
    sides = sides_of(moments, how)
    assert "valid" in sides
    for one, here in zip(moments, sides, strict=True):
        for other, there in zip(moments, sides, strict=True):
            if one.camera == other.camera and (here, there) == ("train", "valid"):
                assert abs((one.time or 0) - (other.time or 0)) > how.guard_seconds


def test_tiles_labels_and_provenance(source: Path, tmp_path: Path) -> None:
    facts = cut_all(source, tmp_path / "out", keep_empty=1.0)
    rows = [json.loads(line) for line in (tmp_path / "out/slices.jsonl").read_text().splitlines()]
    assert facts["pictures"] == {"train": 6, "valid": 2}
    assert facts["train_tiles"] == 6 * 9
    whole = {sample.id: sample for sample in map(open_folder(source, "yolo").sample, range(8))}
    sides: dict[str, set[str]] = {"train": set(), "valid": set()}
    for side in sides:
        tiles = open_folder(tmp_path / "out" / side, "yolo")
        listed = {row["tile"]: row for row in rows if row["tile"].startswith(side)}
        assert len(tiles) == len(listed)
        for sample in map(tiles.sample, range(len(tiles))):
            row = listed[f"{side}/images/{sample.id}.jpg"]
            left, top, right, bottom = row["window"]
            origin = whole[Path(row["source"]).stem]
            shown = origin.image[top:bottom, left:right]
            assert np.abs(sample.image.astype(int) - shown).mean() < 3
            assert isinstance(sample.truth, InstanceTruth) and isinstance(origin.truth, InstanceTruth)
            ignored = 0 if sample.truth.ignore is None else int(sample.truth.ignore.sum())
            assert (row["objects"], row["ignored"]) == (len(sample.truth.boxes) - ignored, ignored)
            corners = np.clip(origin.truth.boxes - [left, top, left, top], 0, 64)
            there = (corners[:, 2:] > corners[:, :2]).all(axis=1)
            order = np.lexsort(sample.truth.boxes.T)
            assert np.allclose(
                sample.truth.boxes[order], corners[there][np.lexsort(corners[there].T)], atol=1e-3
            )
            sides[side].add(row["camera"] + str(row["time"]))
            assert sample.group == Path(row["source"]).stem
    assert not sides["train"] & sides["valid"]
    held = open_folder(tmp_path / "out" / "held_out", "yolo")
    assert len(held) == 2


def test_empty_tiles_are_thinned_in_training_alone(source: Path, tmp_path: Path) -> None:
    everything = cut_all(source, tmp_path / "all", keep_empty=1.0)
    nothing = cut_all(source, tmp_path / "none", keep_empty=0.0)
    some = cut_all(source, tmp_path / "some", keep_empty=0.3)
    assert nothing["objects"] == some["objects"] == everything["objects"]
    assert nothing["valid_tiles"] == everything["valid_tiles"]
    empty = everything["train_tiles"] - nothing["train_tiles"]  # type: ignore[operator]
    assert 0.1 * empty < some["train_tiles"] - nothing["train_tiles"] < 0.5 * empty  # type: ignore[operator]
    assert some["empty_tiles_dropped"] == everything["train_tiles"] - some["train_tiles"]  # type: ignore[operator]


def test_a_stopped_slicing_goes_on_and_another_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stop(done: int, before: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slice_folder(source, out, Cutting(TILING), Splitting(), stop, workers=1)
    assert not (out / "slices.jsonl").exists()
    heard: list[tuple[int, int]] = []
    slice_folder(source, out, Cutting(TILING), Splitting(), lambda *seen: heard.append(seen), workers=1)
    assert heard[0] == (0, 8)
    cut_all(source, tmp_path / "straight")
    assert (out / "slices.jsonl").read_bytes() == (tmp_path / "straight/slices.jsonl").read_bytes()
    with pytest.raises(DeployError, match="OUTPUT-EXISTS"):
        cut_all(source, out, min_visible=0.5)
    (source / "labels" / f"{NAMES[0]}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(DeployError, match="OUTPUT-EXISTS"):
        cut_all(source, out)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(-50, 150), st.integers(-50, 150)), min_size=3, max_size=9))
def test_clipped_outlines_cover_what_shapely_says(points: list[tuple[int, int]]) -> None:
    shape = Polygon(points)
    if not shape.is_valid or shape.area == 0:
        return
    found = clip_outline(np.array(points, np.float64), (0, 0, 100, 80))
    expected = shape.intersection(box(0, 0, 100, 80)).area
    x, y = (np.zeros(1), np.zeros(1)) if found is None else found.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    assert area == pytest.approx(expected, abs=1e-6)


def test_the_command_and_its_refusals(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    base = [
        "data",
        "slice",
        str(source),
        "--out",
        out,
        "--tile",
        "64x48",
        "--workers",
        "1",
        "--format",
        "png",
    ]
    assert run([*base, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    first = json.loads((tmp_path / "out/slices.jsonl").read_text().splitlines()[0])
    assert cv2.imread(str(tmp_path / "out" / first["tile"])).shape == (48, 64, 3)
    assert facts["cutting"]["tiling"]["height"] == 48
    assert run([*base[:5], "--tile", "0x5"]) == 2
    source.joinpath("images", f"{NAMES[0]}.jpg").write_bytes(b"broken")
    assert run(["data", "slice", str(source), "--out", str(tmp_path / "b"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "IMAGE-UNREADABLE"
    assert run(["data", "slice", str(tmp_path / "no"), "--out", out, "--json"]) == 1
