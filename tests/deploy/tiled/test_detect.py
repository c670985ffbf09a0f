"""``deploy detect``: the detector's own objects for every picture, whatever interrupts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from deploy.artifacts import open_artifact
from deploy.cli import run
from deploy.tiled.detector import TiledDetector
from deploy.tiled.sources import STRETCH, Stretch, items_of, seen
from deploy.vision.images import read_rgb, write_png
from tests.deploy.tiled.spots import scene

PICTURES = 12


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sub-folder of small scenes."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(PICTURES):
        write_png(folder / ("near" if index % 3 else ".") / f"{index:02d}.png", scene(index))
    return folder


def _detect(artifact: Path, source: Path, out: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    code = run(["detect", str(artifact), str(source), "--out", str(out), "--workers", "2", *more])
    return code, [json.loads(line) for line in (out / "detections.jsonl").read_text().splitlines()]


def test_every_picture_has_the_detectors_objects(
    spots: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    """Sorted by path, exact to the last bit, and the same again from the finished job."""
    code, rows = _detect(spots["onnx"], pictures, tmp_path, "--draw")
    assert code == 0
    detector = TiledDetector(open_artifact(spots["onnx"]))
    assert [row["picture"] for row in rows] == sorted(row["picture"] for row in rows)
    assert len(rows) == PICTURES
    for row in rows:
        wanted = detector.detect(read_rgb(pictures / row["picture"]))
        assert wanted is not None
        found = np.asarray([each["box"] for each in row["objects"]], np.float32).reshape(-1, 4)
        np.testing.assert_array_equal(found, wanted.boxes)
        scores = np.asarray([each["score"] for each in row["objects"]], np.float32)
        np.testing.assert_array_equal(scores, wanted.scores)
        drawn = read_rgb(tmp_path / "drawn" / f"{row['picture']}.jpg")
        assert drawn.shape == (row["height"], row["width"], 3)
    before = (tmp_path / "detections.jsonl").read_bytes()
    assert _detect(spots["onnx"], pictures, tmp_path, "--draw")[0] == 0
    assert (tmp_path / "detections.jsonl").read_bytes() == before


def test_kill_9_loses_at_most_the_shards_in_hand(spots: dict[str, Path], tmp_path: Path) -> None:
    """Killed with its workers after the first shard; typed again it ends with the undisturbed bytes."""
    many = tmp_path / "many"
    for index in range(48):
        write_png(many / f"{index:02d}.png", scene(index, (500, 640)))
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert _detect(spots["onnx"], many, calm)[0] == 0
    words = [sys.executable, "-m", "deploy", "detect", str(spots["onnx"]), str(many), "--out", str(killed)]
    process = subprocess.Popen(
        [*words, "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list((killed / "job" / "shards").glob("*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {p.name: p.stat().st_mtime_ns for p in (killed / "job" / "shards").glob("*.jsonl")}
    assert 1 <= len(kept) < 12
    assert not (killed / "detections.jsonl").exists()
    assert _detect(spots["onnx"], many, killed)[0] == 0
    assert (killed / "detections.jsonl").read_bytes() == (calm / "detections.jsonl").read_bytes()
    for name, when in kept.items():
        assert (killed / "job" / "shards" / name).stat().st_mtime_ns == when


def test_a_broken_picture_is_named_and_the_rest_is_done(
    spots: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    """Exit code 1, an error in its line, objects in all others."""
    folder = tmp_path / "in"
    shutil.copytree(pictures / "near", folder)
    (folder / "00-broken.png").write_bytes(b"no picture")
    code, rows = _detect(spots["onnx"], folder, tmp_path / "out")
    assert code == 1
    assert rows[0]["error"]["error"] == "IMAGE-UNREADABLE"
    assert sum("objects" in row for row in rows) == len(rows) - 1


def test_a_changed_picture_is_looked_at_again(spots: dict[str, Path], tmp_path: Path) -> None:
    """Its size or time of change is part of its key."""
    folder = tmp_path / "in"
    write_png(folder / "a.png", scene(1))
    before = _detect(spots["onnx"], folder, tmp_path / "out")[1]
    write_png(folder / "a.png", scene(2))
    after = _detect(spots["onnx"], folder, tmp_path / "out")[1]
    assert before[0]["sha256"] != after[0]["sha256"]
    assert before[0]["objects"] != after[0]["objects"]


def test_typed_tiles_override_the_declared_ones_and_it_is_said(
    spots: dict[str, Path], pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another merge, fewer or more objects, and a note on stderr."""
    plain = _detect(spots["onnx"], pictures, tmp_path / "a")[1]
    assert "Not as" not in capsys.readouterr().err
    typed = _detect(spots["onnx"], pictures, tmp_path / "b", "--merge", "none", "--confidence", "0.3")[1]
    assert "Not as spots-onnx-fp32 declares it: merge" in capsys.readouterr().err
    assert sum(len(row["objects"]) for row in typed) > sum(len(row["objects"]) for row in plain)


def test_pictures_without_hints_are_skipped_or_empty(spots: dict[str, Path], tmp_path: Path) -> None:
    """No answer is ``null``, nothing found is an empty list."""
    write_png(tmp_path / "in" / "grey.png", np.full((90, 90, 3), 110, np.uint8))
    skip = _detect(spots["onnx"], tmp_path / "in", tmp_path / "a", "--gate", "1", "--when-no-gate", "skip")
    drop = _detect(spots["onnx"], tmp_path / "in", tmp_path / "b")
    assert skip[1][0]["objects"] is None
    assert drop[1][0]["objects"] == []


def test_coco_documents_are_read_by_pycocotools(
    spots: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    """The same objects in the other format."""
    rows = _detect(spots["onnx"], pictures, tmp_path)[1]
    words = ["detect", str(spots["onnx"]), str(pictures), "--out", str(tmp_path), "--format", "coco"]
    assert run(words) == 0
    coco = COCO(str(tmp_path / "detections.coco.json"))
    assert len(coco.anns) == sum(len(row["objects"]) for row in rows)
    assert [each["file_name"] for each in coco.imgs.values()] == [row["picture"] for row in rows]
    first = coco.anns[1]
    left, top, right, bottom = rows[0]["objects"][0]["box"]
    assert first["bbox"] == [left, top, right - left, bottom - top]
    assert coco.cats[first["category_id"]]["name"] == rows[0]["objects"][0]["label"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parked and a walking square over more frames than one stretch holds."""
    path = tmp_path_factory.mktemp("video") / "gate.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 200))
    base = cv2.resize(np.random.default_rng(0).integers(80, 140, (25, 40, 3), np.uint8), (320, 200))
    for index in range(STRETCH + 20):
        frame = base.copy()
        frame[150:164, 40:54] = (20, 20, 230)
        frame[20:34, 10 + 3 * index : 24 + 3 * index] = (230, 20, 20)
        writer.write(frame)
    writer.release()
    return path


def test_stretches_of_a_video_are_its_frames(video: Path) -> None:
    """Sought frames equal those of one reading from the beginning."""
    capture, wanted = cv2.VideoCapture(str(video)), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        wanted.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    items = items_of(video)
    assert len(items) == 2
    found = [each for item in items for each in seen(item.payload)]
    assert len(found) == len(wanted) == STRETCH + 20
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.image, two)
    assert isinstance(items[1].payload, Stretch)
    assert found[70].name == "gate.mp4#000070"


def test_the_motion_gate_skips_tiles_of_a_video(
    spots: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most tiles stand still; the walker is found in almost every frame all the same."""
    words = ["detect", str(spots["onnx"]), str(video), "--workers", "1", "--json"]
    assert run([*words, "--out", str(tmp_path / "all")]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert run([*words, "--out", str(tmp_path / "gate"), "--motion", "8"]) == 0
    gated = json.loads(capsys.readouterr().out)
    assert whole["tiles"] == 0
    assert gated["tiles_skipped"] / gated["tiles"] > 0.5
    assert gated["pictures"] == whole["pictures"] == STRETCH + 20
    assert gated["objects"] >= 0.95 * whole["objects"] > 100


@pytest.mark.parametrize("name", ["nothing.mp4", "empty"])
def test_sources_that_are_none(
    spots: dict[str, Path], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error by name, not a traceback."""
    (tmp_path / "empty").mkdir()
    assert run(["detect", str(spots["onnx"]), str(tmp_path / name), "--out", str(tmp_path / "out")]) == 1
    assert ("VIDEO-UNREADABLE" if name.endswith("mp4") else "NO-PICTURES") in capsys.readouterr().err
