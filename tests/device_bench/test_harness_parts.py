"""Small parts of the harness: masks of instances, signal to noise, taints, and what is fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.artifacts import open_artifact
from deploy.contracts.decode import YoloDecode
from deploy.decode.predictions import ClassPrediction, InstancePrediction, MaskPrediction
from deploy.errors import DeployError
from device_bench import preflight
from device_bench.harness.feed import PictureFeed, TensorFeed, open_feed
from device_bench.harness.machine import device_info, peak_memory
from device_bench.harness.masks import class_indices, to_mask
from device_bench.harness.self_test import sqnr_db
from device_bench.plans import Measure, check_mask_classes, write_plan
from tests.device_bench.bright import MakeArtifact

YOLO = YoloDecode(output="o", protos="p", class_names=("cat", "dog"), mask_coefficients=32)


def instances(count: int) -> InstancePrediction:
    masks = np.zeros((count, 4, 4), np.bool_)
    for index in range(count):
        masks[index, index] = True
    boxes = np.zeros((count, 4), np.float32)
    return InstancePrediction(boxes, np.ones(count, np.float32), np.arange(count, dtype=np.int64) % 2, masks)


def test_masks_of_instances_are_joined() -> None:
    mask = to_mask(instances(3), None)
    assert mask is not None and mask[:3].all() and not mask[3].any()
    only_dogs = to_mask(instances(3), class_indices(YOLO, ("dog",)))
    assert only_dogs is not None and only_dogs.sum() == 4 and only_dogs[1].all()
    empty = to_mask(instances(0), None)
    assert empty is not None and empty.shape == (4, 4) and not empty.any()


def test_predictions_without_masks_give_none() -> None:
    boxes_only = InstancePrediction(
        *(np.zeros((0, 4), np.float32),), np.zeros(0, np.float32), np.zeros(0, np.int64)
    )
    assert to_mask(boxes_only, None) is None
    assert to_mask(ClassPrediction(np.ones(2, np.float32)), None) is None
    mask = np.ones((2, 2), np.bool_)
    assert to_mask(MaskPrediction(mask), None) is mask


def test_signal_to_noise() -> None:
    reference = np.array([3.0, 4.0], np.float32)
    assert sqnr_db(reference, reference) == 200
    assert sqnr_db(reference, reference + np.float32([0.3, 0.4])) == pytest.approx(20, abs=1e-4)
    assert sqnr_db(reference, np.float32([np.nan, 4.0])) == -200
    assert sqnr_db(reference, np.float32([3.0])) == -200
    assert sqnr_db(np.zeros(2, np.float32), np.float32([0.0, 1.0])) == -200


def test_contention_is_wall_over_cpu() -> None:
    assert preflight.is_contended(112, 100) and not preflight.is_contended(109, 100)
    assert not preflight.is_contended(50, 100)
    assert not preflight.is_contended(100, 0)


def test_governors_that_save_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for core, name in enumerate(("powersave", "powersave")):
        path = tmp_path / f"cpu{core}" / "cpufreq" / "scaling_governor"
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}\n")
    monkeypatch.setattr(preflight, "_GOVERNORS", tmp_path)
    assert "POWERSAVE" in preflight.taints_before()


@pytest.mark.parametrize(
    ("plugged", "percent", "expected"),
    [(True, 10, []), (None, 10, []), (False, 80, ["ON-BATTERY"]), (False, 10, ["ON-BATTERY", "LOW-BATTERY"])],
)
def test_battery(
    monkeypatch: pytest.MonkeyPatch, plugged: bool | None, percent: int, expected: list[str]
) -> None:
    import psutil

    class Battery:
        power_plugged = plugged

    Battery.percent = percent  # type: ignore[attr-defined]
    monkeypatch.setattr(psutil, "sensors_battery", Battery, raising=False)
    found = [taint for taint in preflight.taints_before() if "BATTERY" in taint]
    assert found == expected


def test_the_machine_says_what_it_is() -> None:
    info = device_info()
    assert info.cores >= 1 and info.memory_bytes > 1 << 28
    reading, kind = peak_memory()
    assert reading.value and reading.value > 1 << 20 and kind in ("VmHWM", "ru_maxrss")


def test_feeds(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    pictures = open_artifact(make_artifact("pictures"))
    plan = write_plan(pictures, [], Measure(1, 1), tmp_path / "a")
    feed = open_feed(plan, tmp_path / "a")
    assert isinstance(feed, PictureFeed) and feed.inputs(5)[0]["image"].shape == (1, 3, 32, 32)
    tensors = plan.model_copy(update={"preprocess": None})
    feed = open_feed(tensors, tmp_path / "a")
    assert isinstance(feed, TensorFeed) and feed.inputs(5)[1] is None
    nothing = plan.model_copy(update={"golden": plan.golden.model_copy(update={"samples": ()})})
    with pytest.raises(DeployError, match="NO-FRAMES"):
        open_feed(nothing, tmp_path / "a")


def test_an_unknown_class_lists_the_right_ones(make_artifact: MakeArtifact) -> None:
    exported = open_artifact(make_artifact(decode=YOLO))
    with pytest.raises(DeployError, match=r"UNKNOWN-CLASS.*cat, dog"):
        check_mask_classes(exported, ("cow",))
    check_mask_classes(exported, ("dog",))


@pytest.mark.parametrize(
    ("pairing", "machine", "wrong"),
    [
        ("U8S8 (x86)", "x86_64", False),
        ("S8S8 (arm)", "x86_64", True),
        ("S8S8 (arm)", "aarch64", False),
        ("U8S8 (x86)", "arm64", True),
    ],
)
def test_integer_types_of_another_machine_are_flagged(pairing: str, machine: str, wrong: bool) -> None:
    found = preflight.wrong_pairing({"pairing": pairing}, machine)
    assert (found is not None) == wrong
    if found:
        assert "--onnx-pairing" in found
    assert preflight.wrong_pairing({}, machine) is None
