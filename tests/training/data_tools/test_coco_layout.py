"""COCO folders: what pycocotools reads from the same file, and refusals that name the entry."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as codec
from pycocotools.coco import COCO

from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from tests.oracles.pictures import blobs
from tests.oracles.real import needs
from tests.training.data_tools.scenes import photo, write_photo
from training.data.folders import open_folder

SIZE = (90, 120)
POLYGON = [10.0, 10.0, 40.5, 12.0, 30.0, 44.0, 12.0, 38.0]


def scene(root: Path, outlined: bool = True) -> dict[str, Any]:
    """Two pictures, sparse category ids, a polygon of two parts, a crowd by run lengths, an ignored box."""
    write_photo(root / "images" / "a.jpg", photo(1, *SIZE))
    write_photo(root / "images" / "sub" / "b.jpg", photo(2, *SIZE))
    crowd = codec.encode(np.asfortranarray(blobs(*SIZE, seed=3).astype(np.uint8)))
    crowd["counts"] = crowd["counts"].decode()
    images = [
        {"id": 7, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]},
        {"id": 3, "file_name": "sub/b.jpg", "height": SIZE[0], "width": SIZE[1]},
    ]
    two = [POLYGON, [60.0, 60.0, 90.0, 60.0, 90.0, 80.0, 60.0, 80.0]]
    annotations = [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 9,
            "bbox": [10, 10, 80, 70],
            "segmentation": two,
            "area": 1.0,
        },
        {
            "id": 2,
            "image_id": 7,
            "category_id": 2,
            "bbox": [0, 0, 50, 50],
            "segmentation": crowd,
            "iscrowd": 1,
        },
        {"id": 3, "image_id": 3, "category_id": 2, "bbox": [5, 6, 7, 8], "segmentation": [POLYGON]},
    ]
    if not outlined:
        annotations[2]["segmentation"] = []
        annotations[2]["ignore"] = 1
    categories = [{"id": 9, "name": "dog"}, {"id": 2, "name": "cat"}]
    payload = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(payload))
    return payload


def truth_of(root: Path, index: int) -> InstanceTruth:
    truth = open_folder(root, "yolo").sample(index).truth
    assert isinstance(truth, InstanceTruth)
    return truth


def test_boxes_classes_and_masks_are_pycocotools(tmp_path: Path) -> None:
    scene(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(tmp_path / "annotations.json"))
    found = open_folder(tmp_path, "yolo")
    assert (found.layout, found.ids, found.class_names) == ("coco", ("a", "sub/b"), ("cat", "dog"))
    for index, image in enumerate((7, 3)):
        truth, entries = truth_of(tmp_path, index), theirs.loadAnns(theirs.getAnnIds(image))
        corners = [[x, y, x + w, y + h] for x, y, w, h in (entry["bbox"] for entry in entries)]
        assert truth.boxes.tolist() == corners
        assert truth.classes.tolist() == [{2: 0, 9: 1}[entry["category_id"]] for entry in entries]
        assert truth.masks is not None
        for mask, entry in zip(truth.masks, entries, strict=True):
            expected = theirs.annToMask(entry) > 0
            assert (mask ^ expected).sum() <= 0.02 * expected.sum()  # they rasterise at a fifth of a pixel
    assert np.array_equal(truth_of(tmp_path, 0).ignore, [False, True])
    assert truth_of(tmp_path, 1).ignore is None


def test_mixed_boxes_and_outlines_give_boxes(tmp_path: Path) -> None:
    scene(tmp_path, outlined=False)
    found = open_folder(tmp_path, "yolo")
    assert found.notes[0].startswith("2 of 3 objects have outlines")
    assert found.notes[1].startswith("2 of 3 objects are crowds")
    assert truth_of(tmp_path, 0).masks is None
    assert np.array_equal(truth_of(tmp_path, 1).ignore, [True])


def test_a_changed_label_changes_the_hash_of_its_picture_alone(tmp_path: Path) -> None:
    payload = scene(tmp_path)
    before = [open_folder(tmp_path, "yolo").sample(index).sha256 for index in range(2)]
    payload["annotations"][2]["bbox"] = [5, 6, 7, 9]
    (tmp_path / "annotations.json").write_text(json.dumps(payload))
    after = [open_folder(tmp_path, "yolo").sample(index).sha256 for index in range(2)]
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("where", "value", "error_id"),
    [
        (("annotations", 0, "image_id"), 99, "COCO-BROKEN"),
        (("annotations", 0, "category_id"), 99, "COCO-BROKEN"),
        (("annotations", 0, "bbox"), [1, 2, 3], "COCO-BROKEN"),
        (("annotations", 0, "bbox"), [1, 2, -3, 4], "COCO-BROKEN"),
        (("annotations", 0, "bbox"), [1, 2, "wide", 4], "COCO-BROKEN"),
        (("annotations", 0, "segmentation"), [[1.0, 2.0, 3.0]], "COCO-BROKEN"),
        (("annotations", 1, "segmentation", "size"), [1, 2], "COCO-BROKEN"),
        (("images", 0, "file_name"), "../../etc/passwd", "COCO-BROKEN"),
        (("images", 0, "file_name"), "/etc/passwd", "COCO-BROKEN"),
        (("images", 0, "file_name"), "gone.jpg", "PICTURE-MISSING"),
        (("images", 0, "id"), 3, "COCO-BROKEN"),
        (("images", 0, "height"), 91, "COCO-BROKEN"),
        (("categories",), {}, "COCO-BROKEN"),
        (("categories", 0), {"id": 1}, "COCO-BROKEN"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, where: tuple[Any, ...], value: Any, error_id: str) -> None:
    payload = scene(tmp_path)
    place: Any = payload
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    (tmp_path / "annotations.json").write_text(json.dumps(payload))
    with pytest.raises(DeployError) as caught:
        open_folder(tmp_path, "yolo").sample(0)
    assert caught.value.error_id == error_id


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    scene(tmp_path)
    write_photo(tmp_path / "images" / "a.jpg", photo(1, 40, 40))
    with pytest.raises(DeployError, match="PICTURE-SIZE-DIFFERS"):
        open_folder(tmp_path, "yolo").sample(0)
    (tmp_path / "annotations.json").write_text('{"images": [')
    with pytest.raises(DeployError, match="JSON-BROKEN"):
        open_folder(tmp_path, "yolo")


def test_roboflows_class_0_is_no_class(tmp_path: Path) -> None:
    payload = scene(tmp_path)
    payload["categories"].insert(0, {"id": 0, "name": "pets", "supercategory": "none"})
    (tmp_path / "annotations.json").unlink()
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(payload))
    assert open_folder(tmp_path, "yolo").class_names == ("cat", "dog")
    payload["annotations"][0]["category_id"] = 0
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(payload))
    assert open_folder(tmp_path, "yolo").class_names == ("pets", "cat", "dog")


@pytest.mark.real
def test_sahis_terrain(tmp_path: Path) -> None:
    """A real file whose annotations sahi's own tests use."""
    source = needs("sahi")
    (tmp_path / "annotations.json").write_bytes((source / "terrain1_coco.json").read_bytes())
    (tmp_path / "terrain1.jpg").write_bytes((source / "terrain1.jpg").read_bytes())
    found = open_folder(tmp_path, "yolo")
    truth = found.sample(0).truth
    assert isinstance(truth, InstanceTruth)
    listed = json.loads((source / "terrain1_coco.json").read_text())["annotations"]
    assert len(truth.boxes) == len(listed) > 0
    assert truth.masks is not None
