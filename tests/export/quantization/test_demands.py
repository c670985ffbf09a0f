"""What calibration asks for and refuses, what names mean on a target, and what a cached file depends on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import cli
from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.vision.images import pixel_digest, read_rgb
from export import worker
from export.build import build
from export.cache import cache_key
from export.calibration.input import pictures_for, write_input
from export.calibration.methods import CALIBRATORS, METHODS
from export.formats.coreml_quantized import demand_system
from export.precision_proof import demand_label, share_of_label
from export.precisions import ALIASES, PRECISIONS
from export.request import ExportRequest, parse_budget
from export.resolution import resolve
from export.sources import open_source
from export.targets import TARGETS
from tests.export.quantization.scenes import Scene, make_scene, write_pictures

TARGET_NAMES = ("onnx", "coreml", "executorch")
CALIBRATED = sorted(name for name, each in PRECISIONS.items() if each.calibrated)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return make_scene(tmp_path, monkeypatch)


def refused(work: Callable[[], Any]) -> DeployError:
    """The error that a call ends in."""
    with pytest.raises(DeployError) as caught:
        work()
    return caught.value


def chosen(request: ExportRequest, precision: str = "w8a8") -> Any:
    """The calibration pictures of a request."""
    return pictures_for(request, open_source(request), (precision,))


# which pictures


def test_no_precision_that_needs_none_reads_any(scene: Scene) -> None:
    request = scene.request(calibration=(scene.toy.root / "absent",))
    assert CALIBRATED == ["auto", "w8a8"]
    for precision in PRECISIONS.keys() - set(CALIBRATED):
        assert chosen(request, precision) is None
    assert refused(lambda: chosen(request)).error_id == "DATA-MISSING"


def test_pictures_and_hold_out_are_disjoint_spread_and_hashed(scene: Scene) -> None:
    found = chosen(scene.request())
    assert (len(found.calibration), len(found.hold_out)) == (20, 4)
    assert len(set(found.digests)) == 24
    files = {pixel_digest(read_rgb(path)) for path in scene.pictures.iterdir()}
    assert set(found.digests) == files
    few = chosen(scene.request(calibration_count=5))
    assert [sample.id for sample in few.calibration] == ["02", "07", "12", "17", "22"]
    assert [sample.id for sample in few.hold_out] == ["09", "19"]
    assert few.classes_unseen is None
    assert few.sha256 != found.sha256


def test_copies_of_one_photo_never_stand_on_both_sides(scene: Scene, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(scene.pictures.iterdir())):
        copy = tmp_path / "copies" / f"photo{number // 4}.rf.{number}.png"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    found = chosen(scene.request(calibration=(tmp_path / "copies",)))
    sides = [{sample.id.split(".rf.")[0] for sample in side} for side in (found.calibration, found.hold_out)]
    assert sides == [{"photo0", "photo1", "photo2", "photo3", "photo5"}, {"photo4"}]


def test_several_folders_are_taken_together(scene: Scene, tmp_path: Path) -> None:
    other = write_pictures(tmp_path / "other", 6, seed=1)
    found = chosen(scene.request(calibration=(scene.pictures, other)))
    assert len(found.digests) == 30
    assert found.source == f"{scene.pictures} + {other}"


def test_classes_that_no_label_shows_are_named(scene: Scene, tmp_path: Path) -> None:
    for name, seed in (("cat", 1), ("dog", 2)):
        write_pictures(tmp_path / "labelled" / name, 6, seed)
    (tmp_path / "labelled" / "fox").mkdir()
    decode = tmp_path / "decode.json"
    decode.write_text(json.dumps({"kind": "classify", "output": "output"}))
    request = scene.request(calibration=(tmp_path / "labelled",), decode=decode)
    names = ("cat", "dog", "fox")
    found = pictures_for(request, open_source(request), ("w8a8",), names)
    assert found is not None
    assert found.classes_unseen == ("fox",)


def test_the_ways_that_are_tried(scene: Scene, tmp_path: Path) -> None:
    block = Preprocess.model_validate_json((scene.toy.root / "preprocess.json").read_text())
    request = scene.request()
    both = write_input(chosen(request), request, block, tmp_path)
    assert (both.samples, both.hold_out) == (20, 4)
    assert (set(both.methods), both.counts) == (set(METHODS), (16, 20))
    one = replace(request, calibrator="entropy", calibration_count=8)
    single = write_input(chosen(one), one, block, tmp_path)
    assert (single.methods, single.counts) == (("entropy",), (8,))
    assert set(CALIBRATORS.names()) == {"auto", *METHODS}


# refusals


def test_a_model_that_came_without_pictures_asks_for_some(scene: Scene) -> None:
    error = refused(lambda: build(scene.request(calibration=(), precisions=("w8a8",))))
    assert error.error_id == "CALIBRATION-MISSING"
    assert "--calibration DIR" in error.remedy
    assert scene.toy.left() == []


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_pictures(scene: Scene, tmp_path: Path, count: int) -> None:
    folder = write_pictures(tmp_path / "few", count)
    error = refused(lambda: chosen(scene.request(calibration=(folder,))))
    assert error.error_id == "CALIBRATION-FEW"
    assert f"{count} pictures" in error.summary
    assert len(chosen(scene.request(calibration=(write_pictures(folder, 4),))).hold_out) == 1


def test_a_model_whose_input_is_no_picture(scene: Scene, tmp_path: Path) -> None:
    request = scene.request()
    error = refused(lambda: write_input(chosen(request), request, None, tmp_path))
    assert error.error_id == "CALIBRATION-KIND"
    assert "--precision w8" in error.remedy


def test_a_mistyped_calibrator_lists_the_right_ones(scene: Scene) -> None:
    error = refused(lambda: chosen(scene.request(calibrator="distribution")))
    assert error.error_id == "UNKNOWN-CALIBRATOR"
    assert ", ".join(METHODS) in error.remedy


@pytest.mark.parametrize("text", ["", "map=", "much", "map=much", "-0.1", "1", "map=nan", "inf", "a=b=c"])
def test_a_budget_that_is_none(text: str) -> None:
    error = refused(lambda: parse_budget(text))
    assert error.error_id == "BUDGET-INVALID"
    assert "--budget map=0.005" in error.remedy


def test_budgets() -> None:
    assert parse_budget("0.005") == (None, 0.005)
    assert parse_budget("0") == (None, 0.0)
    assert parse_budget("box_mAP50-95=0.01") == ("box_mAP50-95", 0.01)


def test_a_mistyped_budget_ends_before_anything_is_made(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-t", "onnx", "-p", "auto", "--budget", "a lot", "--out", str(scene.toy.root / "artifacts")]
    assert cli.run(["export", scene.request().spec, *arguments]) == 1
    assert "BUDGET-INVALID" in capsys.readouterr().err
    assert scene.toy.left() == []


def test_systems_that_are_too_old() -> None:
    for precision, system in (("w8a8", "iOS16"), ("auto", "iOS16"), ("w8", "iOS15"), ("w4", "iOS15")):
        error = refused(lambda cell=(precision, system): demand_system(*cell))
        assert error.error_id == "SYSTEM-TOO-OLD"
        assert precision in error.summary
        assert "--coreml-target" in error.remedy
    for precision in TARGETS.open("coreml").PRECISIONS:
        demand_system(precision, "iOS17")


# names


def test_int8_is_resolved_on_every_target_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = resolve(TARGET_NAMES, ("int8",))
    assert found == [(target, TARGETS.open(target).INT8) for target in TARGET_NAMES]
    shown = " ".join(capsys.readouterr().err.split())
    for target, meaning in found:
        assert meaning in TARGETS.open(target).PRECISIONS
        assert f"int8 on {target}: {meaning} ({PRECISIONS[meaning].summary})" in shown


def test_what_only_some_targets_have_is_made_for_those(capsys: pytest.CaptureFixture[str]) -> None:
    assert resolve(("onnx", "coreml"), ("w4", "fp32", "w4")) == [
        ("onnx", "fp32"),
        ("coreml", "w4"),
        ("coreml", "fp32"),
    ]
    assert "onnx has no w4; it is left out" in " ".join(capsys.readouterr().err.split())


def test_what_no_target_has_is_refused() -> None:
    error = refused(lambda: resolve(("onnx",), ("w4",)))
    assert error.error_id == "PRECISION-LACKING"
    assert "w8a8" in error.remedy
    assert refused(lambda: resolve(("onnx",), ("int7",))).error_id == "UNKNOWN-PRECISION"


def test_every_precision_of_a_target_is_in_the_table() -> None:
    offered = {name for target in TARGET_NAMES for name in TARGETS.open(target).PRECISIONS}
    assert offered == PRECISIONS.keys()
    assert not set(ALIASES) & offered


# what a file depends on


def key(request: ExportRequest, precision: str = "w8a8", target: str = "onnx") -> str:
    """The cache key of one cell."""
    source = open_source(request)
    pictures = pictures_for(request, source, (precision,))
    digest = pictures.sha256 if pictures else None
    return cache_key(request, source.fingerprint(), "samples", digest, target, precision)


def test_pictures_shape_a_calibrated_file_and_their_path_does_not(scene: Scene, tmp_path: Path) -> None:
    base = scene.request()
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(scene.pictures, moved)
    assert key(replace(base, calibration=(moved,))) == key(base)
    other = write_pictures(tmp_path / "other", 24, seed=1)
    changed = [
        base,
        replace(base, calibration=(other,)),
        replace(base, calibration=(scene.pictures, other)),
        replace(base, calibration_count=8),
        replace(base, calibrator="minmax"),
        replace(base, onnx_pairing="arm"),
        replace(base, finetune=10),
    ]
    assert len({key(request) for request in changed}) == len(changed)
    light = {key(request, "w8") for request in changed}
    assert len(light) == 1, "w8 is made without pictures"
    image = scene.pictures / "00.png"
    write_pictures(tmp_path / "new", 1, seed=9)
    before = key(base)
    shutil.copy(tmp_path / "new" / "00.png", image)
    assert key(base) != before


def test_the_budget_and_its_pictures_shape_an_automatic_mix_alone(scene: Scene, tmp_path: Path) -> None:
    base = scene.request()
    one, two = (write_pictures(tmp_path / f"tune{seed}", 4, seed) for seed in (3, 4))
    copy = tmp_path / "copy"
    shutil.copytree(one, copy)
    changed = [
        base,
        replace(base, budget=(None, 0.01)),
        replace(base, budget=("relative", 0.005)),
        replace(base, tune_data=one),
        replace(base, tune_data=two),
    ]
    assert len({key(request, "auto") for request in changed}) == len(changed)
    assert len({key(request) for request in changed}) == 1
    assert key(replace(base, tune_data=copy), "auto") == key(replace(base, tune_data=one), "auto")


def test_labels_of_8_bit_files_are_held_to() -> None:
    floats = PrecisionProof(weight_bytes={"float32": 900, "int8": 1000}, ops={"float32": 5}, total_ops=5)
    light = PrecisionProof(weight_bytes={"int8": 950, "float32": 50}, ops={"float32": 5}, total_ops=5)
    assert refused(lambda: demand_label(floats, "w8", "onnx")).error_id == "PRECISION-MISMATCH"
    demand_label(light, "w8", "onnx")
    error = refused(lambda: demand_label(light, "w8a8", "onnx"))
    assert "none of its ops computes on 8-bit activations" in error.summary


def test_scales_are_few_numbers_however_many_bytes() -> None:
    """Blocks of 32 int4 values take 16 bytes, and their scale takes two."""
    blocks = PrecisionProof(weight_bytes={"int4": 16_000, "float16": 2_000}, ops={"float16": 5}, total_ops=5)
    assert share_of_label(blocks, "w4") == pytest.approx(32 / 33)
    demand_label(blocks, "w4", "coreml")
    palette = PrecisionProof(weight_bytes={"uint6": 7_500, "float16": 2_000}, ops={}, total_ops=5)
    assert share_of_label(palette, "w6") == pytest.approx(10_000 / 11_000)
    assert refused(lambda: demand_label(palette, "w4", "coreml")).error_id == "PRECISION-MISMATCH"


def test_a_mix_without_8_bits_is_no_file(tmp_path: Path) -> None:
    layer: Any = SimpleNamespace(name="conv2d")
    job: Any = SimpleNamespace(mix=SimpleNamespace(layers=("conv2d",), wide=(layer,)))
    nothing: Any = None
    error = refused(lambda: worker._convert(nothing, "onnx", "auto", tmp_path, job, (), ()))
    assert (error.error_id, "--budget" in error.remedy) == ("MIX-ALL-WIDE", True)
