"""CVAT packages: what CVAT's exporter writes is read, round trips are exact, unsafe archives are refused.

``golden/`` was written by datumaro 1.13.12, which is CVAT's exporter (it cannot be installed beside the
pinned OpenCV and pandas): two classes, boxes, a picture in a sub-folder and an empty one; formats yolo and
coco_instances, zipped.
"""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.cli import run
from deploy.errors import DeployError
from tests.training.data_tools.scenes import folder, photo, write_photo, write_yolo
from training.data.cvat.archive import unpack_archive
from training.data.cvat.pack import pack
from training.data.cvat.run import unpack
from training.data.labelled import LabelledFolder, LabelledObject, LabelledPicture
from training.data.labelled_folders import open_labelled

GOLDEN = Path(__file__).parent / "golden"


def quiet() -> None:
    """Nobody listens."""


def boxes_of(found: LabelledFolder) -> dict[str, list[list[float]]]:
    return {
        picture.name: sorted([float(each.klass), *each.box] for each in picture.objects)
        for picture in found.pictures
    }


@pytest.mark.parametrize("kind", ["yolo", "coco"])
def test_what_cvats_exporter_writes_is_read(tmp_path: Path, kind: str) -> None:
    facts = unpack(GOLDEN / f"datumaro_{kind}.zip", tmp_path / "out", None, "yolo", quiet)
    assert facts == {"pictures": 3, "objects": 4, "classes": ["helmet", "head"]}
    found = boxes_of(open_labelled(tmp_path / "out"))
    truth = json.loads((GOLDEN / "datumaro_truth.json").read_text())
    assert set(found) == set(truth)
    for name, expected in truth.items():  # its YOLO files hold six decimals of a side of 60
        assert np.allclose(found[name], sorted(expected), atol=1e-4), name


@pytest.mark.parametrize("kind", ["yolo", "coco"])
def test_our_package_has_the_files_of_cvats(tmp_path: Path, kind: str) -> None:
    unpack(GOLDEN / f"datumaro_{kind}.zip", tmp_path / "out", None, "yolo", quiet)
    pack(open_labelled(tmp_path / "out"), tmp_path / "ours.zip", kind)  # type: ignore[arg-type]
    with (
        zipfile.ZipFile(GOLDEN / f"datumaro_{kind}.zip") as theirs,
        zipfile.ZipFile(tmp_path / "ours.zip") as ours,
    ):
        names = {name for name in theirs.namelist() if not name.endswith("/")}
        subset = {name.replace("train", "default") for name in names} if kind == "coco" else names
        assert set(ours.namelist()) == subset
        if kind == "yolo":
            for name in ("obj.names", "obj.data"):
                assert sorted(ours.read(name).split()) == sorted(theirs.read(name).split())
            listed = [set(each.read("train.txt").decode().split()) for each in (ours, theirs)]
            assert listed[0] == listed[1]
        else:
            keys = [
                set(json.loads(z.read(n)))
                for z, n in (
                    (ours, "annotations/instances_default.json"),
                    (theirs, "annotations/instances_train.json"),
                )
            ]
            assert keys[0] == keys[1]


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["yolo", "coco"]),
    st.integers(16, 4000),
    st.integers(16, 4000),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=5),
)
def test_boxes_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    height: int,
    width: int,
    rows: list[tuple[float, ...]],
) -> None:
    """Corners within 1e-5 of the box's own sides, for boxes of a pixel and more."""
    root = tmp_path_factory.mktemp("trip")
    path = write_photo(root / "a.png", np.zeros((height, width, 3), np.uint8))
    objects = []
    for x, y, w, h in rows:
        side = (1 + w * (width - 1) / 2, 1 + h * (height - 1) / 2)
        left, top = x * (width - side[0]), y * (height - side[1])
        objects.append(LabelledObject(0, (left, top, left + side[0], top + side[1])))
    picture = LabelledPicture("a", path, (height, width), tuple(objects))
    pack(LabelledFolder(("person",), (picture,)), root / "a.zip", kind)  # type: ignore[arg-type]
    unpack(root / "a.zip", root / "back", None, "coco", quiet)
    back = open_labelled(root / "back").pictures[0].objects
    unique = list(dict.fromkeys(each.box for each in objects)) if kind == "yolo" else [o.box for o in objects]
    for box, found in zip(unique, back, strict=True):
        sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        assert (np.abs(np.subtract(box, found.box)) <= 1e-5 * sides).all()


def test_ignored_objects_and_outlines_are_counted(tmp_path: Path) -> None:
    source = write_yolo(tmp_path / "a", folder(tmp_path / "a", ["p0", "p1"]))
    (source / "ignore").mkdir()
    (source / "ignore" / "p0.txt").write_text("1 0.5 0.5 0.25 0.125\n")
    (source / "labels" / "p1.txt").write_text("2 0.1 0.1 0.5 0.2 0.3 0.6\n")
    found = open_labelled(source)
    facts = pack(found, tmp_path / "a.zip", "yolo")
    assert (facts["ignored_left_out"], facts["outlines_lost"]) == (1, 1)
    kept = pack(found, tmp_path / "b.zip", "coco", ignored=True)
    assert (kept["ignored_left_out"], kept["outlines_lost"]) == (0, 0)
    assert kept["objects"] == facts["objects"] + 1
    unpack(tmp_path / "b.zip", tmp_path / "b", None, "coco", quiet)
    back = [each for picture in open_labelled(tmp_path / "b").pictures for each in picture.objects]
    assert sum(bool(each.parts) for each in back) == 1
    assert not any(each.ignore for each in back)


def test_pictures_may_lie_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_yolo(tmp_path / "a", folder(tmp_path / "a", ["p0", "sub/p1"]))
    base = ["data", "cvat", "pack", str(source), "--no-images", "--out", str(tmp_path / "a.zip"), "--json"]
    assert run(base) == 0
    assert run(base) == 1
    capsys.readouterr()
    back = ["data", "cvat", "unpack", str(tmp_path / "a.zip"), "--out", str(tmp_path / "b"), "--json"]
    assert run(back) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "PICTURE-MISSING"
    assert not (tmp_path / "b").exists()
    assert run([*back, "--images", str(source)]) == 0
    one, other = boxes_of(open_labelled(source)), boxes_of(open_labelled(tmp_path / "b"))
    assert one.keys() == other.keys()
    assert all(np.allclose(one[name], other[name], rtol=1e-7) for name in one if one[name])


def archive(path: Path, *entries: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, payload in entries:
            package.writestr(name, payload)
    return path


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "C:/out.txt"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DeployError, match="ARCHIVE-UNSAFE"):
        unpack_archive(archive(tmp_path / "a.zip", ("fine.txt", b"1"), (name, b"2")), tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "in"}


def test_links_bombs_and_repetitions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as package:
        package.writestr(link, "/etc/passwd")
    bomb = archive(tmp_path / "bomb.zip", ("zeros", bytes(20 << 20)))
    large = archive(tmp_path / "large.zip", ("a", bytes(600)), ("b", bytes(600)))
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = archive(tmp_path / "twice.zip", ("a", b"1"), ("a", b"2"))
    for file, most in ((tmp_path / "link.zip", 1 << 30), (bomb, 1 << 30), (large, 1000), (twice, 1 << 30)):
        with pytest.raises(DeployError, match="ARCHIVE-UNSAFE"):
            unpack_archive(file, tmp_path / "in", most)
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize(
    ("entries", "error_id"),
    [
        ([("task/obj.data", b"names = data/obj.names")], "PACKAGE-UNKNOWN"),
        ([("obj.data", b"classes = 1\ntrain = data/train.txt")], "PACKAGE-BROKEN"),
        ([("obj.data", b"names = ../../etc/passwd\ntrain = data/train.txt")], "PACKAGE-BROKEN"),
        ([("obj.data", b"names = obj.names\ntrain = train.txt"), ("obj.names", b"a")], "PACKAGE-BROKEN"),
        (
            [
                ("obj.data", b"names=obj.names\ntrain=t.txt"),
                ("obj.names", b"a"),
                ("t.txt", b"data/../../x.jpg"),
            ],
            "PACKAGE-BROKEN",
        ),
        ([("annotations/instances_default.json", b"{}")], "COCO-BROKEN"),
    ],
)
def test_packages_that_are_none(tmp_path: Path, entries: list[tuple[str, bytes]], error_id: str) -> None:
    with pytest.raises(DeployError, match=error_id):
        unpack(archive(tmp_path / "a.zip", *entries), tmp_path / "out", None, "yolo", quiet)
    assert not (tmp_path / "out").exists()


def test_broken_archives_and_labels(tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes((GOLDEN / "datumaro_yolo.zip").read_bytes()[:-200])
    with pytest.raises(DeployError, match="ARCHIVE-BROKEN"):
        unpack(tmp_path / "cut.zip", tmp_path / "out", None, "yolo", quiet)
    with pytest.raises(DeployError, match="ARCHIVE-BROKEN"):
        unpack(tmp_path / "none.zip", tmp_path / "out", None, "yolo", quiet)
    path = write_photo(tmp_path / "a.png", photo(1))
    head = [("obj.data", b"names = obj.names\ntrain = train.txt"), ("obj.names", b"a\n")]
    rest = [("train.txt", b"data/obj_train_data/a.png"), ("obj_train_data/a.png", path.read_bytes())]
    file = archive(tmp_path / "range.zip", *head, *rest, ("obj_train_data/a.txt", b"1 0.5 0.5 0.1 0.1"))
    with pytest.raises(DeployError, match="CLASS-RANGE"):
        unpack(file, tmp_path / "out", None, "yolo", quiet)
