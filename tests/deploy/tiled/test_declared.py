"""``deploy export --tile`` declares tiles, and verify and bench look at exactly those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.artifacts import open_artifact
from deploy.cli import run
from deploy.contracts.artifact import Artifact
from deploy.contracts.tiling import Merge, Tiling
from deploy.decode.predictions import InstancePrediction, InstanceTruth
from deploy.store import write_json
from deploy.tiled.detector import TiledDetector
from deploy.vision.images import read_rgb, write_png
from device_bench.harness.feed import open_feed
from device_bench.harness.interleave import open_side
from device_bench.harness.tiled import TiledPipeline
from device_bench.plans import Measure, write_plan
from export.evaluation.compact import unpack
from export.evaluation.judging import for_judging
from export.evaluation.session import Session
from export.evaluation.subject import Subject
from export.tiling import typed_tiling
from tests.deploy.tiled.spots import TILING, scene
from training.data.samples import EvaluationSample


def _equal(found: InstancePrediction | None, wanted: InstancePrediction | None) -> None:
    assert found is not None
    assert wanted is not None
    assert len(wanted.boxes) > 5
    for one, two in ((found.boxes, wanted.boxes), (found.scores, wanted.scores)):
        np.testing.assert_array_equal(one, two)
    assert found.classes.tolist() == wanted.classes.tolist()


def test_reference_and_exports_declare_the_tiling(spots: dict[str, Path]) -> None:
    """Every manifest of the export carries the block."""
    for folder in spots.values():
        preprocess = Artifact.load(folder / "artifact.json").preprocess
        assert preprocess is not None
        assert preprocess.tiling == TILING


@pytest.mark.parametrize("labelled", [True, False])
def test_verification_sees_the_tiles(spots: dict[str, Path], labelled: bool) -> None:
    """What verify shows its metric and calls an app's prediction is what the detector says, to the bit."""
    exported = open_artifact(spots["onnx"])
    image = scene(7)
    truth = InstanceTruth((150, 210), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    session = Session(Subject(exported), 1, labelled=labelled)
    sample = EvaluationSample("a", image, truth if labelled else None, "a", "")
    observation, prediction = session.see(sample)
    _equal(unpack(prediction), TiledDetector(exported).detect(image))  # type: ignore[arg-type]
    assert (observation is not None) == labelled
    if labelled:
        judged = for_judging(exported.artifact.decode)
        changed = type(exported)(exported.folder, exported.artifact.model_copy(update={"decode": judged}))
        everything = TiledDetector(changed).detect(image)
        assert everything is not None
        assert len(observation.scores) == len(everything.scores)


def test_the_bench_times_the_whole_picture(spots: dict[str, Path], tmp_path: Path) -> None:
    """The harness gives the detector's objects, and its inference time covers every tile."""
    exported = open_artifact(spots["onnx"])
    write_plan(exported, [], Measure(duration_ns=1, threads=1), tmp_path)
    plan, side = open_side(tmp_path)
    assert isinstance(side.pipeline, TiledPipeline)
    name = plan.golden.samples[0].image
    assert name is not None
    image = read_rgb(tmp_path / name)
    _equal_or_empty(side.pipeline.predict(side.feed, 0), TiledDetector(exported).detect(image))
    start, pre, infer, post, cpu = side.pipeline.timed(open_feed(plan, tmp_path), 0)
    assert min(start, pre, infer, post, cpu) > 0


def _equal_or_empty(found: InstancePrediction | None, wanted: InstancePrediction | None) -> None:
    assert found is not None
    assert wanted is not None
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
    np.testing.assert_array_equal(found.scores, wanted.scores)


def test_the_bench_command_takes_a_tiled_file(spots: dict[str, Path], tmp_path: Path) -> None:
    """A short run of the real harness, in its own process, over frames larger than a tile."""
    frames = tmp_path / "clip"
    frames.mkdir()
    for index in range(2):
        write_png(frames / f"{index}.png", scene(index))
    words = [str(spots["onnx"]), "--device", "desktop", "--duration", "1s", "--clip", str(frames)]
    assert run(["bench", *words, "--out", str(tmp_path / "runs"), "--json"]) in (0, 4)
    assert list((tmp_path / "runs").rglob("run.json"))


def test_typed_options_change_a_block_from_a_file(tmp_path: Path) -> None:
    """``--tiling FILE`` is the base, and what is typed beside it wins."""
    block = Tiling(width=320, height=320, merge=Merge(class_agnostic=True))
    write_json(tmp_path / "tiles.json", block.to_json())
    options = dict.fromkeys(("tile", "overlap", "full_image", "merge", "gate", "when_no_gate"))
    found = typed_tiling({**options, "tiling": tmp_path / "tiles.json", "overlap": 0.5})
    assert found == block.model_copy(update={"overlap": 0.5})
    assert typed_tiling({**options, "tiling": None}) is None


def test_a_model_without_boxes_declares_no_tiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused by name, before anything is converted."""
    words = ["tests.deploy.tiled.spots:build_spots", "--input", "image=1x3x64x64", "-t", "onnx", "-p", "fp32"]
    code = run(["export", *words, "--tile", "64", "--out", str(tmp_path / "out")])
    assert code == 1
    assert "NOT-A-DETECTOR" in capsys.readouterr().err
