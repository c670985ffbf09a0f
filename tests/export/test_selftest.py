"""The gate's self-test: files are really broken, a good gate says so, a sleeping one is an error."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import cli
from deploy.contracts.preprocess import Preprocess
from deploy.runtimes import RUNTIMES
from deploy.store import sha256_file
from deploy.vision.images import write_png
from export.evaluation.groups import open_groups
from export.foreign.adopt import Given
from export.runners import runner_for
from export.selftest import CORRUPTORS
from export.selftest.corruptions import (
    IN_FILE,
    NotApplicable,
    candidates,
    doubled_scale,
    dropped_bias,
    swapped_channels,
    write_corrupted,
    wrong_preprocess,
)
from export.selftest.flow import Trial, asleep, exit_code, self_test
from export.selftest.protocol import Layer
from export.verify import VerifyRequest
from tests.device_bench.bright import build_artifact, picture
from tests.export.test_verify import ask
from tests.export.toys import Toy, export

SAMPLES = 8


@pytest.fixture
def bright(tmp_path: Path) -> Path:
    """A reference, an exact export and a broken one."""
    root = tmp_path / "artifacts"
    reference = build_artifact(root / "bright-reference", role="reference", clip=False, name="bright")
    common: dict[str, Any] = {"reference_sha256": sha256_file(reference / "model.onnx"), "clip": False}
    build_artifact(root / "bright-exact", name="bright", **common)
    build_artifact(root / "bright-shifted", name="bright", bias=-17.0, precision="fp16", **common)
    return root


@pytest.fixture
def request_(bright: Path, tmp_path: Path) -> VerifyRequest:
    for index in range(SAMPLES):
        image, mask = picture(index)
        write_png(tmp_path / "data" / "images" / f"{index}.png", image)
        write_png(tmp_path / "data" / "masks" / f"{index}.png", mask.astype(np.uint8) * 255)
    return ask(bright / "bright-exact", data=tmp_path / "data")


def by_corruption(trials: list[Trial]) -> dict[str, Trial]:
    return {trial.corruption: trial for trial in trials}


# the gate


@pytest.mark.usefixtures("inline")
def test_a_gate_that_works_fails_every_broken_file(request_: VerifyRequest) -> None:
    trials = by_corruption(self_test(request_))
    assert set(trials) == {*IN_FILE, "wrong preprocess"}
    caught = {name for name, trial in trials.items() if trial.outcome == "CAUGHT"}
    assert caught == {"zeroed weights", "dropped bias", "doubled scale", "wrong preprocess"}
    for name in caught:
        assert trials[name].verdict == "FAIL"
        assert trials[name].drop is not None
        assert trials[name].drop > 0.01
    assert trials["swapped channels"].outcome == "NOT-APPLICABLE"
    assert "one output channel" in trials["swapped channels"].reason
    assert exit_code(list(trials.values())) == 0
    assert asleep(list(trials.values())) is None


@pytest.mark.usefixtures("inline")
def test_a_gate_that_sleeps_is_named_with_what_it_missed(request_: VerifyRequest) -> None:
    trials = self_test(replace(request_, budget=2.0))
    assert {trial.outcome for trial in trials} == {"ASLEEP", "NOT-APPLICABLE"}
    error = asleep(trials)
    assert error is not None
    assert (error.error_id, error.exit_code) == ("GATE-ASLEEP", 3)
    assert "did not fail 4 of 5" in error.summary
    zeroed = by_corruption(trials)["zeroed weights"]
    assert f"zeroed weights at {zeroed.where} is PASS, drop {zeroed.drop:+.4f}" in error.summary
    assert exit_code(trials) == 3


@pytest.mark.usefixtures("inline")
def test_a_file_that_fails_when_healthy_proves_nothing(request_: VerifyRequest, bright: Path) -> None:
    trials = self_test(replace(request_, artifacts=(bright / "bright-shifted",)))
    outcomes = {trial.outcome for trial in trials}
    assert "UNPROVEN" in outcomes
    assert "CAUGHT" not in outcomes
    assert exit_code([trial for trial in trials if trial.outcome == "UNPROVEN"]) == 4


def test_a_runtime_that_dies_is_unknown_for_every_corruption(
    request_: VerifyRequest, bright: Path, plates: None, processes: None
) -> None:
    from tests.export.test_verify import change

    change(bright / "bright-exact", target="aborting")
    trials = self_test(request_)
    assert {trial.outcome for trial in trials} == {"UNKNOWN"}
    assert len(trials) == 5
    assert all("SIGABRT" in trial.reason for trial in trials)
    assert exit_code(trials) == 4


@pytest.mark.slow
def test_the_command_speaks_json_and_ends_with_3_when_the_gate_sleeps(
    request_: VerifyRequest, bright: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["verify", str(bright / "bright-exact"), "--data", str(request_.data), "--self-test"]
    assert cli.run([*line, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 5
    assert cli.run([*line, "--json", "--budget", "2"]) == 3
    assert json.loads(capsys.readouterr().out)["error"] == "GATE-ASLEEP"
    assert cli.run([*line, "--budget", "2"]) == 3
    shown = capsys.readouterr()
    assert "GATE-ASLEEP" in shown.err
    assert "0 of 5 broken files were caught" in shown.out
    assert cli.run([*line, "--bisect"]) == 2


# corruptions


class Numbers:
    """A corruptor of arrays in memory."""

    def __init__(self, **arrays: np.ndarray) -> None:
        self.arrays = arrays

    def layers(self) -> list[Layer]:
        return []

    def read(self, key: str) -> np.ndarray:
        return self.arrays[key].copy()

    def write(self, key: str, value: np.ndarray) -> None:
        assert (value.shape, value.dtype) == (self.arrays[key].shape, self.arrays[key].dtype)
        self.arrays[key] = value

    def save(self, path: Path) -> None:
        raise AssertionError


def test_what_would_change_nothing_is_not_applicable() -> None:
    same = Numbers(w=np.ones((4, 3), np.float32), b=np.zeros(4, np.float32))
    layer = Layer("one", "Gemm", "w", 0, "b")
    for edit in (swapped_channels, dropped_bias):
        with pytest.raises(NotApplicable, match="one"):
            edit(same, layer)
    for edit in IN_FILE.values():
        with pytest.raises(NotApplicable):
            edit(Numbers(w=np.zeros((1, 3), np.int8)), Layer("one", "Gemm", "w", 0))


def test_a_quantized_layer_is_doubled_by_its_scale() -> None:
    numbers = Numbers(w=np.full((4, 3), 100, np.int8), s=np.array([0.5, 1], np.float32))
    doubled_scale(numbers, Layer("one", "Conv", "w", 0, scale="s"))
    assert numbers.arrays["w"].max() == 100
    assert numbers.arrays["s"].tolist() == [1.0, 2.0]


def test_the_app_s_mistakes() -> None:
    block = Preprocess(input_name="image", width=8, height=8)
    wrong, what = wrong_preprocess(block)
    assert (wrong.mean, what) == ((0.485, 0.456, 0.406), "ImageNet's mean taken off")
    assert wrong_preprocess(wrong)[0].mean == (0.0, 0.0, 0.0)
    assert wrong_preprocess(block.model_copy(update={"divisor": 1.0}))[0].mean[0] == pytest.approx(123.675)
    image, what = wrong_preprocess(block.model_copy(update={"input_kind": "image"}))
    assert (image.input_kind, what) == ("tensor", "normalised twice")


def test_layers_are_tried_from_the_first_to_the_last() -> None:
    layers = [Layer(str(number), "Conv", "w", 0) for number in range(9)]
    assert [layer.name for layer in candidates(layers)] == ["0", "2", "4", "6", "8"]
    assert [layer.name for layer in candidates(layers[:2])] == ["0", "1"]
    assert candidates([]) == []


# formats


def test_a_quantized_weight_is_found_behind_its_dequantizer_in_onnx(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    stored = {
        "w": np.arange(24, dtype=np.int8).reshape(8, 3, 1, 1),
        "s": np.full(8, 0.5, np.float32),
        "z": np.zeros(8, np.int8),
        "b": np.ones(8, np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wide"], axis=0),
        helper.make_node("Conv", ["image", "wide", "b"], ["out"], name="conv"),
    ]
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 8, 4, 4])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), model)
    kind = CORRUPTORS.open("onnx")
    (layer,) = kind(model).layers()
    assert layer == Layer("conv", "Conv", "w", 0, "b", "s")
    for edit, changed in ((doubled_scale, "s"), (dropped_bias, "b"), (swapped_channels, "w")):
        path = tmp_path / f"{changed}.onnx"
        write_corrupted(kind, model, edit, layer, path)
        broken = kind(path)
        same = {key: np.array_equal(broken.read(key), value) for key, value in stored.items()}
        assert [key for key, equal in same.items() if not equal] == [changed]
    assert kind(tmp_path / "s.onnx").read("s").tolist() == [1.0] * 8


@pytest.mark.slow
def test_every_format_is_broken_exactly_where_it_says(toy: Toy, tmp_path: Path) -> None:
    """Zeroing the first convolution in a file gives what zeroing it in torch gives; other bytes stay."""
    import torch

    built = export(toy.request(precisions=("fp32", "fp16")))
    picture_ = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    module = toy.module()
    with torch.inference_mode():
        torch.nn.init.zeros_(module.conv.weight)
        torch.nn.init.zeros_(module.conv.bias)
        module.norm.running_mean.zero_()  # the norm is folded into the convolution that is zeroed
        module.norm.bias.zero_()
        expected = module(torch.from_numpy(picture_)).numpy()
    for (target, precision), result in built.items():
        if target == "torch":
            continue
        assert result.folder is not None
        assert result.artifact is not None
        model = result.folder / result.artifact.model_file
        kind = CORRUPTORS.open(target)
        layers = kind(model).layers()
        assert len(layers) == 4, (target, precision, layers)
        assert all(layer.bias for layer in layers)
        path = tmp_path / f"{target}-{precision}{model.suffix}"
        corruptor = kind(model)
        first = layers[0]
        corruptor.write(first.weight, corruptor.read(first.weight) * 0)
        assert first.bias is not None
        corruptor.write(first.bias, corruptor.read(first.bias) * 0)
        corruptor.save(path)
        runner, _ = runner_for(target, result.artifact.deployment)
        if runner.why_not() is not None:
            continue
        outputs = runner(path, result.artifact.inputs, result.artifact.outputs, 1).run({"image": picture_})
        tolerance = 1e-5 if precision == "fp32" else 2e-3
        np.testing.assert_allclose(outputs["output"], expected, atol=tolerance, err_msg=f"{target}")
        for edit in IN_FILE.values():
            broken = tmp_path / f"{edit.__name__}-{path.name}"
            write_corrupted(kind, model, edit, layers[1], broken)
            if model.is_file():
                assert broken.stat().st_size == pytest.approx(model.stat().st_size, abs=64)
                assert broken.read_bytes() != model.read_bytes()


def test_runners_are_the_benchs_own_unless_they_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for target in ("onnx", "torch", "executorch"):
        assert runner_for(target, {"delegate": "XNNPACK"}) == (RUNTIMES.open(target), ())
    monkeypatch.setattr("sys.platform", "darwin")
    assert runner_for("coreml", {}) == (RUNTIMES.open("coreml"), ())
    assert runner_for("executorch", {"delegate": "CoreML"}) == (RUNTIMES.open("executorch"), ())
    monkeypatch.setattr("sys.platform", "linux")
    runner, taints = runner_for("coreml", {})
    assert taints == ("EMULATED-COREML",)
    assert runner.__name__ == "EmulatedCoreML"


def test_rows_are_sorted_by_target_and_then_from_wide_to_narrow(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    reference = build_artifact(root / "reference", role="reference", clip=False)
    digest = sha256_file(reference / "model.onnx")
    cells = [
        ("onnx", "w8a8"),
        ("executorch", "fp16"),
        ("onnx", "fp16"),
        ("executorch", "fp32"),
        ("onnx", "w8"),
    ]
    for target, precision in cells:
        build_artifact(
            root / f"{target}-{precision}",
            target=target,
            precision=precision,
            reference_sha256=digest,
            clip=False,
        )
    (group,) = open_groups(sorted(root.iterdir(), key=os.path.getmtime), None, Given())
    found = [(each.exported.artifact.target, each.exported.artifact.precision) for each in group.subjects]
    assert found == [
        ("executorch", "fp32"),
        ("executorch", "fp16"),
        ("onnx", "fp16"),
        ("onnx", "w8"),
        ("onnx", "w8a8"),
    ]
