"""Pseudo-labels: views agree, hard pictures are found, rounds are chained, missing truth comes to light."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.cli import run
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.errors import DeployError
from deploy.tiled.raw import RawDetections
from tests.deploy.tiled.conftest import spots as spots
from tests.deploy.tiled.spots import scene
from tests.training.data_tools.scenes import NAMES, folder, write_yolo
from training.data.labelled_folders import open_labelled
from training.data.pseudo.mining import Hardness, hardness, spread
from training.data.pseudo.missing_truth import missing_truth
from training.data.pseudo.records import read_record
from training.data.pseudo.thresholds import Thresholds
from training.data.pseudo.views import View, look_at, together, views_of, votes


def bright(image: np.ndarray) -> RawDetections:
    """A detector that is always right: the box of every white blob."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 0] > 127).astype(np.uint8))
    x, y, w, h = stats[1:, :4].T.astype(np.float32)
    boxes = np.stack([x, y, x + w, y + h], axis=1)
    ones = np.ones(count - 1, np.float32)
    zeros = np.zeros(count - 1, np.int64)
    return RawDetections(boxes, ones, zeros, zeros.astype(np.int32), image.shape[:2])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0, 1.5, 2.0]), st.booleans())
def test_boxes_of_every_view_come_home(seed: int, scale: float, flip: bool) -> None:
    rng = np.random.default_rng(seed)
    image = np.zeros((90, 150, 3), np.uint8)
    left, top = int(rng.integers(0, 100)), int(rng.integers(0, 50))
    image[top : top + 30, left : left + 40] = 255
    (found,) = look_at(image, bright, [View(scale, flip)])
    assert found.size == (90, 150)
    assert np.abs(found.boxes[0] - [left, top, left + 40, top + 30]).max() <= 2 / scale


def test_views_and_votes() -> None:
    views = views_of(True, [1.5, 1.0])
    assert views == (View(1.0, False), View(1.0, True), View(1.5, False), View(1.5, True))
    image = np.zeros((60, 100, 3), np.uint8)
    image[10:30, 60:90] = 255
    seen = look_at(image, bright, views)
    assert len(together(seen).boxes) == 4
    boxes = np.array([[60, 10, 90, 30], [0, 0, 20, 20]], np.float32)
    found = InstancePrediction(boxes, np.ones(2, np.float32), np.zeros(2, np.int64))
    assert votes(found, seen, 0.5).tolist() == [4, 0]


def prediction(*rows: tuple[float, float, int]) -> InstancePrediction:
    """Boxes of 10 pixels at x, with score and class."""
    boxes = np.array([[x, 0, x + 10, 10] for x, _, _ in rows], np.float32).reshape(-1, 4)
    return InstancePrediction(
        boxes, np.array([s for _, s, _ in rows], np.float32), np.array([c for _, _, c in rows], np.int64)
    )


def test_what_makes_a_picture_hard() -> None:
    least = np.array([0.5, 0.5], np.float32)
    sure, unsure = prediction((0, 0.9, 0)), prediction((0, 0.25, 0), (50, 0.05, 0))
    assert hardness(sure, least, 0.15, sure, sure, 2) == Hardness(0.0, 0.0, 0.0)
    assert hardness(unsure, least, 0.15, None, None, 2).unsure == pytest.approx(0.5)
    two = prediction((0, 0.9, 0), (40, 0.9, 0))
    assert hardness(sure, least, 0.15, two, sure, 2).disagreement == pytest.approx(1 / 3)
    assert hardness(sure, least, 0.15, prediction((0, 0.9, 1)), sure, 2).disagreement == 1
    both = hardness(prediction((0, 0.8, 0), (1, 0.8, 1)), least, 0.15, None, None, 2)
    assert both.confusion == pytest.approx(1, abs=1e-6)
    assert both.score == pytest.approx(1, abs=1e-6)


def test_hard_pictures_differ() -> None:
    """Ten times nearly the same hardest picture: one of them is chosen, then others."""
    rng = np.random.default_rng(0)
    points = np.concatenate([np.full((10, 4), 3.0) + rng.normal(0, 1e-3, (10, 4)), rng.normal(0, 1, (20, 4))])
    scores = np.concatenate([np.full(10, 0.9), rng.uniform(0.3, 0.8, 20)])
    scores[12] = 0
    chosen = spread(scores, points, 6)
    assert chosen[0] == 0
    assert sum(index < 10 for index in chosen) == 1
    assert len(set(chosen)) == 6
    assert 12 not in spread(scores, points, 30)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_tenth_of_the_truth_removed_is_surfaced(seed: int) -> None:
    """A detector that misses 8 %, shifts boxes, and has false alarms that score like unsure hits."""
    rng = np.random.default_rng(seed)
    predictions, truths, removed = [], [], 0
    wanted: set[tuple[int, int]] = set()
    for picture in range(80):
        count = int(rng.integers(2, 8))
        corner = np.stack(
            [np.arange(count) * 50 + rng.uniform(0, 20, count), rng.uniform(0, 200, count)], axis=1
        )
        boxes = np.concatenate([corner, corner + rng.uniform(12, 28, (count, 2))], axis=1).astype(np.float32)
        classes = rng.integers(0, 2, count)
        gone = rng.random(count) < 0.1
        removed += int(gone.sum())
        truths.append(InstanceTruth((240, 450), boxes[~gone], classes[~gone]))
        seen = rng.random(count) < 0.92
        false = int(rng.poisson(0.7))
        noise = rng.uniform(0, 200, (false, 2)) + np.array([0, 260])
        shifted = boxes[seen] + rng.normal(0, 1, (int(seen.sum()), 4))
        found = np.concatenate([shifted, np.concatenate([noise, noise + 20], axis=1)]).astype(np.float32)
        scores = np.concatenate([rng.beta(8, 2, int(seen.sum())), rng.beta(2, 6, false)]).astype(np.float32)
        labels = np.concatenate([classes[seen], rng.integers(0, 2, false)])
        predictions.append(InstancePrediction(found, scores, labels))
        wanted |= {(picture, round(float(boxes[index, 0]))) for index in np.flatnonzero(gone)}
    suspects = missing_truth(predictions, truths)

    def planted(picture: int, left: float) -> bool:
        return any(p == picture and abs(x - left) <= 5 for p, x in wanted)

    hits = [planted(each.picture, each.box[0]) and each.box[1] < 250 for each in suspects]
    assert sum(hits) >= 0.8 * removed
    assert sum(hits) >= 0.8 * len(hits)
    assert np.mean(hits[: len(hits) // 2]) >= np.mean(hits[len(hits) // 2 :])
    unlearned = [InstancePrediction(p.boxes, p.scores, p.classes + 5) for p in predictions]
    assert missing_truth(unlearned, truths) == ()


def test_thresholds() -> None:
    found = Thresholds.of(("helmet", "head"), 0.5, {"helmet": 0.55}, 0.15)
    assert found.array().tolist() == [np.float32(0.55), 0.5]
    with pytest.raises(DeployError, match="CLASS-UNKNOWN"):
        Thresholds.of(("helmet",), 0.5, {"hat": 0.5}, 0.15)
    with pytest.raises(DeployError, match="THRESHOLD-ORDER"):
        Thresholds.of(("helmet",), 0.1, {}, 0.15)


def frames(root: Path, count: int) -> Path:
    for number in range(count):
        (root / "cam").mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / "cam" / f"{number}.png"), scene(number)[..., ::-1])
    assert cv2.imwrite(str(root / "empty.png"), np.full((150, 210, 3), 110, np.uint8))
    return root


@pytest.mark.slow
def test_rounds_of_the_command(
    spots: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = frames(tmp_path / "frames", 3)
    base = ["data", "pseudo", str(spots["onnx"]), str(pictures), "--workers", "1", "--json"]
    first = [*base, "--out", str(tmp_path / "one"), "--threshold", "red=0.6", "--hard", "2"]
    assert run(first) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["iteration"], record["parent"], record["pictures"]) == (1, None, 4)
    assert record["thresholds"]["by_class"] == {"red": 0.6, "blue": 0.5}
    assert min(record["labels"].values()) >= 10
    assert record["without_label"] == 1
    texts = {path.stem: path.read_text() for path in (tmp_path / "one" / "labels").rglob("*.txt")}
    assert texts["empty"] == ""
    assert sum(len(text.splitlines()) for text in texts.values()) == sum(record["labels"].values())
    hard = [json.loads(line) for line in (tmp_path / "one" / "hard.jsonl").read_text().splitlines()]
    assert len(hard) == record["hard"] <= 2
    assert run(first) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "OUTPUT-EXISTS"
    second = [
        *base,
        "--out",
        str(tmp_path / "two"),
        "--flip",
        "--scale",
        "1.5",
        "--parent",
        str(tmp_path / "one"),
    ]
    assert run(second) == 0
    after = json.loads(capsys.readouterr().out)
    assert (after["iteration"], after["parent"]) == (2, record["sha256"])
    assert len(after["views"]) == 4
    path = tmp_path / "two" / "iteration.json"
    path.write_text(path.read_text().replace('"iteration": 2', '"iteration": 3'))
    with pytest.raises(DeployError, match="ITERATION-BROKEN"):
        read_record(path)


def test_the_command_for_missing_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_yolo(tmp_path / "set", folder(tmp_path / "set", [f"p{n}" for n in range(9)]))
    rows = []
    for number, picture in enumerate(open_labelled(source).pictures):
        objects = [
            {
                "box": list(each.box),
                "score": 0.6 + 0.01 * index,
                "class": each.klass,
                "label": NAMES[each.klass],
            }
            for index, each in enumerate(picture.objects)
        ]
        rows.append({"picture": f"{picture.name}.jpg", "objects": objects if number else None})
    (source / "labels" / "p1.txt").write_text("")
    file = tmp_path / "detections.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert run(["data", "missing", str(file), str(source), "--least-sureness", "0", "--json"]) == 0
    suspects = json.loads(capsys.readouterr().out)["suspects"]
    assert {each["picture"] for each in suspects} == {"p1"}
    assert run(["data", "missing", str(file), str(source)]) == 0
    file.write_text('{"picture": "elsewhere.jpg", "objects": []}\n')
    assert run(["data", "missing", str(file), str(source), "--json"]) == 1
    assert "DETECTIONS-ELSEWHERE" in capsys.readouterr().out
    file.write_text('{"picture": 3}\n')
    assert run(["data", "missing", str(file), str(source), "--json"]) == 1
    assert "DETECTIONS-BROKEN" in capsys.readouterr().out
