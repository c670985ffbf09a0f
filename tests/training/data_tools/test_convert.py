"""Conversions: ultralytics' files from the same JSON, and round trips that lose nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.cli import run
from deploy.errors import DeployError
from tests.oracles.real import needs
from tests.training.data_tools.scenes import NAMES, boxes, folder, write_yolo
from training.data.interchange.convert import convert_annotations, convert_folder
from training.data.labelled import LabelledFolder
from training.data.labelled_folders import open_labelled


def annotations(seed: int, pictures: int, objects: int, classes: int = 8) -> dict[str, Any]:
    """A COCO file with subfolders, crowds, repetitions, empty boxes and pictures without any."""
    rng = np.random.default_rng(seed)
    images = [
        {
            "id": 5 * i + 1,
            "file_name": f"part{i % 3}/pic.{i}.jpg",
            "width": 640 + i % 7,
            "height": 480 + i % 5,
        }
        for i in range(pictures)
    ]
    listed: list[dict[str, Any]] = []
    found = boxes(rng, objects, 480, 640).round(2)
    owners, labels = rng.integers(0, pictures - 1, objects), rng.integers(1, classes + 1, objects)
    for number, ((left, top, right, bottom), owner) in enumerate(zip(found.tolist(), owners, strict=True)):
        box = [left, top, 0 if number % 29 == 0 else right - left, bottom - top]
        entry = {
            "id": number,
            "image_id": images[owner]["id"],
            "category_id": int(labels[number]),
            "bbox": box,
        }
        listed += [{**entry, "iscrowd": int(number % 17 == 0)}] * (2 if number % 23 == 0 else 1)
    categories = [{"id": i, "name": f"class {i}"} for i in range(classes, 0, -1)]
    return {"images": images, "annotations": listed, "categories": categories}


def ultralytics_labels(file: Path, out: Path) -> Path:
    """The label folder that ultralytics makes of one JSON."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    from ultralytics.data.converter import convert_coco

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        convert_coco(str(file.parent), str(out), cls91to80=False)
    return out / "labels" / file.stem


def texts(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.txt")}


def in_another_process(file: Path, out: Path) -> Path:
    """The same; ultralytics changes PIL and cv2 for the whole process it is imported in."""
    code = f"from {__name__} import *; ultralytics_labels(Path({str(file)!r}), Path({str(out)!r}))"
    here = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code], cwd=here, check=True, capture_output=True)
    return out / "labels" / file.stem


def test_label_files_are_ultralytics(tmp_path: Path) -> None:
    file = tmp_path / "json" / "all.json"
    file.parent.mkdir()
    file.write_text(json.dumps(annotations(0, 60, 700)))
    theirs = {
        name: text for name, text in texts(in_another_process(file, tmp_path / "theirs")).items() if text
    }
    facts = convert_annotations(file, tmp_path / "ours")
    assert texts(tmp_path / "ours" / "labels") == theirs
    assert len(theirs) > 50
    listed = len(json.loads(file.read_text())["annotations"])
    assert facts["objects"] + facts["left_out"] == listed
    with pytest.raises(DeployError, match="OUTPUT-EXISTS"):
        convert_annotations(file, tmp_path / "ours")


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("annotations", {"bbox": [1, 2, 3]}),
        ("annotations", {"bbox": [1, 2, 3, "x"]}),
        ("annotations", {"image_id": -7}),
        ("annotations", {"category_id": 99}),
        ("images", {"file_name": "../../outside.jpg"}),
        ("images", {"file_name": "/outside.jpg"}),
        ("images", {"width": 0}),
    ],
)
def test_broken_entries_are_refused(tmp_path: Path, part: str, change: dict[str, Any]) -> None:
    payload = annotations(1, 6, 60)
    payload[part][1] |= change
    payload["annotations"][1] |= {"iscrowd": 0} | ({"image_id": 6} if part == "images" else {})
    (tmp_path / "a.json").write_text(json.dumps(payload))
    with pytest.raises(DeployError, match="COCO-BROKEN"):
        convert_annotations(tmp_path / "a.json", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def same(one: LabelledFolder, other: LabelledFolder, tolerance: float) -> None:
    """The same pictures and objects; box corners within ``tolerance`` of a box's shorter side."""
    assert one.class_names == other.class_names
    for here, there in zip(one.pictures, other.pictures, strict=True):
        assert (here.name, here.size) == (there.name, there.size)
        assert here.path.read_bytes() == there.path.read_bytes()
        order = [sorted(p.objects, key=lambda o: (o.ignore, o.klass, o.box)) for p in (here, there)]
        for a, b in zip(*order, strict=True):
            assert (a.klass, a.ignore, len(a.parts)) == (b.klass, b.ignore, len(b.parts))
            side = min(a.box[2] - a.box[0], a.box[3] - a.box[1])
            assert np.abs(np.subtract(a.box, b.box)).max() <= tolerance * side
            for p, q in zip(a.parts, b.parts, strict=True):
                assert np.abs(p - q).max() <= tolerance * max(here.size)


def test_there_and_back(tmp_path: Path) -> None:
    source = write_yolo(tmp_path / "a", folder(tmp_path / "a", [f"p{i}" for i in range(7)] + ["sub/q.1"]))
    (source / "ignore").mkdir()
    (source / "ignore" / "p0.txt").write_text("1 0.5 0.5 0.25 0.125\n")
    (source / "labels" / "p2.txt").write_text("2 0.1 0.1 0.5 0.2 0.3 0.6\n0 0.7 0.7 0.1 0.2\n")
    facts = convert_folder(source, tmp_path / "coco", "coco")
    assert (facts["outlined"], facts["ignored"], facts["classes"]) == (1, 1, list(NAMES))
    same(open_labelled(source), open_labelled(tmp_path / "coco"), 1e-9)
    convert_folder(tmp_path / "coco", tmp_path / "yolo", "yolo")
    same(open_labelled(source), open_labelled(tmp_path / "yolo"), 1e-6)


@pytest.mark.real
def test_real_mixed_boxes_and_polygons(tmp_path: Path) -> None:
    source = needs("hardhat") / "valid"
    convert_folder(source, tmp_path / "coco", "coco")
    convert_folder(tmp_path / "coco", tmp_path / "yolo", "yolo")
    (tmp_path / "yolo" / "data.yaml").unlink()
    (tmp_path / "yolo" / "data.yaml").write_text((source.parent / "data.yaml").read_text())
    found = open_labelled(source)
    same(found, open_labelled(tmp_path / "yolo"), 1e-6)
    kinds = {bool(each.parts) for picture in found.pictures for each in picture.objects}
    assert kinds == {True, False}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_yolo(tmp_path / "a", folder(tmp_path / "a", ["p0", "p1"]))
    assert run(["data", "convert", str(source), "--to", "coco", "--out", str(tmp_path / "b"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 2
    (tmp_path / "c.json").write_bytes((tmp_path / "b" / "annotations.json").read_bytes())
    assert (
        run(["data", "convert", str(tmp_path / "c.json"), "--to", "yolo", "--out", str(tmp_path / "c")]) == 0
    )
    assert "objects" in capsys.readouterr().out
    assert run(["data", "convert", str(tmp_path / "no"), "--to", "coco", "--out", str(tmp_path / "d")]) == 1
