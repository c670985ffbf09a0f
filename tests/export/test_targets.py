"""The real converters on small models: files, proofs, parity, golden samples and the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.store import sha256_file, sha256_tree
from export.build import Built
from export.runners import runner_for
from export.sources.code import code_digest
from tests.export.fakes import InProcess
from tests.export.toys import Toy, export

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.usefixtures("in_process")]

TARGETS = ("onnx", "coreml", "executorch")
BOTH = ("fp32", "fp16")


def artifact_of(result: Built) -> Artifact:
    """The artifact; the row's reason where there is none."""
    assert result.artifact is not None, result.row
    return result.artifact


def run(result: Built, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """The file's own answer; a Core ML program's by emulation where there is no Mac."""
    artifact = artifact_of(result)
    assert result.folder is not None
    runtime, _ = runner_for(artifact.target, artifact.deployment)
    return runtime(result.folder / artifact.model_file, artifact.inputs, artifact.outputs, 1).run(inputs)


def unseen(*shape: int) -> np.ndarray:
    """An input that no sample was."""
    return np.random.default_rng(99).random(shape, np.float32)


def demand_good(result: Built, reference: Artifact) -> None:
    """What holds for every artifact: status, proof, hashes, golden samples."""
    artifact = artifact_of(result)
    folder = result.folder
    assert folder is not None
    assert Artifact.load(folder / MANIFEST) == artifact
    assert sha256_tree(folder / artifact.model_file) == artifact.model_sha256
    assert artifact.reference_sha256 == reference.model_sha256
    assert (artifact.parity.status, artifact.parity.reason) == ("PASS", None)
    assert artifact.parity.hops[-1].hop == "captured -> file"
    assert artifact.parity.agreement is not None
    label = {"fp32": "float32", "fp16": "float16"}[artifact.precision]
    floats = {k: v for k, v in artifact.proof.weight_bytes.items() if k.startswith("float")}
    assert floats[label] / sum(floats.values()) > (0.5 if artifact.proof.wide_ops else 0.9)
    assert artifact.proof.ops[label] > 0
    for sample in artifact.golden.samples:
        for tensor in (*sample.inputs, *sample.outputs):
            assert sha256_file(folder / tensor.file) == tensor.sha256


def test_every_target_at_both_precisions(toy: Toy, in_process: type[InProcess]) -> None:
    request = toy.request(targets=TARGETS, precisions=BOTH)
    results = export(request)
    reference = artifact_of(results["torch", "fp32"])
    assert list(results) == [("torch", "fp32"), *((t, p) for t in TARGETS for p in BOTH)]
    image = unseen(1, 3, 64, 64)
    with torch.inference_mode():
        expected = toy.module()(torch.from_numpy(image)).numpy()
    for cell, result in results.items():
        if cell[0] == "torch":
            continue
        demand_good(result, reference)
        tolerance = 1e-5 if cell[1] == "fp32" else 5e-3
        np.testing.assert_allclose(run(result, {"image": image})["output"], expected, atol=tolerance)
    doors = {cell: artifact_of(result).inputs[0].dtype for cell, result in results.items()}
    assert {cell for cell, dtype in doors.items() if dtype == "float16"} == {("coreml", "fp16")}
    sizes = {cell: artifact_of(result).model_bytes for cell, result in results.items()}
    assert sizes["onnx", "fp16"] < sizes["onnx", "fp32"]
    assert all(str(toy.root) not in json.dumps(artifact_of(r).to_json()) for r in results.values())

    second = export(request)
    assert in_process.started == 1
    assert all(result.cached for result in second.values())

    code_digest.cache_clear()
    again = export(toy.request(targets=TARGETS, precisions=BOTH, use_cache=False))
    for cell, result in again.items():
        assert not result.cached
        assert artifact_of(result).model_sha256 == artifact_of(results[cell]).model_sha256, cell


@pytest.mark.parametrize(
    ("function", "names"),
    [("named", ["sigmoid", "cat", "conv2d"]), ("pair", ["output_0", "output_1", "output_2"])],
)
def test_several_outputs_some_read_inside(toy: Toy, function: str, names: list[str]) -> None:
    narrow_first = tuple(reversed(BOTH))
    results = export(toy.request(function, targets=TARGETS, precisions=narrow_first))
    reference = artifact_of(results["torch", "fp32"])
    image = unseen(1, 3, 64, 64)
    with torch.inference_mode():
        value = toy.module(function)(torch.from_numpy(image))
    expected = list(value.values()) if isinstance(value, dict) else [value[0], *value[1]]
    for (target, precision), result in results.items():
        assert [spec.name for spec in artifact_of(result).outputs] == names
        if target == "torch":
            continue
        demand_good(result, reference)
        found = run(result, {"image": image})
        assert list(found) == names
        for name, tensor in zip(names, expected, strict=True):
            tolerance = 1e-5 if precision == "fp32" else 5e-3
            np.testing.assert_allclose(found[name], tensor.numpy(), atol=tolerance)


def test_two_inputs_that_are_no_pictures(toy: Toy) -> None:
    shapes = (("a", (1, 12)), ("b", (1, 20)))
    results = export(toy.request("two_doors", targets=TARGETS, precisions=BOTH, inputs=shapes))
    inputs = {"a": unseen(1, 12), "b": unseen(1, 20)}
    module = toy.module("two_doors")
    with torch.inference_mode():
        expected = module(*(torch.from_numpy(value) for value in inputs.values())).numpy()
    for (target, precision), result in results.items():
        if target == "torch":
            continue
        demand_good(result, artifact_of(results["torch", "fp32"]))
        tolerance = 1e-5 if precision == "fp32" else 5e-3
        np.testing.assert_allclose(run(result, inputs)["output"], expected, atol=tolerance)


@pytest.mark.parametrize("function", ["loud", "loud_weights"])
def test_what_leaves_fp16_stays_wide_and_is_named(toy: Toy, function: str) -> None:
    results = export(toy.request(function, targets=TARGETS, precisions=("fp16",)))
    image = unseen(1, 3, 64, 64)
    with torch.inference_mode():
        expected = toy.module(function)(torch.from_numpy(image)).numpy()
    if function == "loud":
        assert artifact_of(results["coreml", "fp16"]).proof.ops["float32"] == 3
    for target in TARGETS:
        artifact = artifact_of(results[target, "fp16"])
        assert any("fp16 ends at 65504" in op.reason for op in artifact.proof.wide_ops), target
        assert artifact.proof.ops["float32"] >= 1, target
        assert artifact.proof.ops["float16"] >= 4, target
        found = run(results[target, "fp16"], {"image": image})["output"]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, expected, atol=5e-3)


def test_a_quiet_model_has_no_wide_ops(toy: Toy) -> None:
    results = export(toy.request(targets=TARGETS, precisions=("fp16",)))
    assert artifact_of(results["onnx", "fp16"]).proof.wide_ops == ()
    assert artifact_of(results["coreml", "fp16"]).proof.wide_ops == ()
    wide = artifact_of(results["executorch", "fp16"]).proof.wide_ops
    assert [op.reason for op in wide] == ["XNNPACK takes only fp32 weights for a transposed convolution"]


def test_core_ml_takes_pictures(toy: Toy, tmp_path: Path) -> None:
    """The package's own spec says image; normalisation is inside; golden inputs are raw pixels."""
    from coremltools.proto import Model_pb2

    from export.formats.coreml_package import spec_file

    block = {
        "input_name": "image",
        "width": 64,
        "height": 64,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    (tmp_path / "p.json").write_text(json.dumps(block))
    results = export(
        toy.request(
            targets=("coreml", "onnx"), precisions=BOTH, coreml_input="image", preprocess=tmp_path / "p.json"
        )
    )
    for precision in BOTH:
        artifact = artifact_of(results["coreml", precision])
        folder = results["coreml", precision].folder
        assert folder is not None
        spec = Model_pb2.Model()
        spec.ParseFromString(spec_file(folder / artifact.model_file).read_bytes())
        feature = spec.description.input[0]
        assert feature.name == "image"
        assert (feature.type.imageType.width, feature.type.imageType.height) == (64, 64)
        assert artifact.preprocess is not None
        assert artifact.preprocess.input_kind == "image"
        pixels = np.load(folder / artifact.golden.samples[0].inputs[0].file)
        assert pixels.max() > 20
        assert np.array_equal(pixels, np.round(pixels))
    onnx = artifact_of(results["onnx", "fp32"])
    assert onnx.preprocess is not None
    assert onnx.preprocess.input_kind == "tensor"


def test_executorch_with_the_core_ml_delegate(toy: Toy) -> None:
    results = export(toy.request(targets=("executorch",), precisions=BOTH, executorch_backend="coreml"))
    for precision in BOTH:
        artifact = artifact_of(results["executorch", precision])
        assert artifact.deployment["delegate"] == "CoreML"
        assert (artifact.parity.status, artifact.parity.reason) == ("PASS", None)
        label = {"fp32": "float32", "fp16": "float16"}[precision]
        assert artifact.proof.weight_bytes.get(label, 0) > 1000


def test_a_mistyped_system_lists_the_right_ones(toy: Toy) -> None:
    results = export(toy.request(targets=("coreml", "onnx"), coreml_target="iOS99"))
    row = results["coreml", "fp32"].row
    assert row is not None
    assert (row.status, row.error_id) == ("refused", "UNKNOWN-SYSTEM")
    assert "iOS17" in str(row.remedy)
    assert artifact_of(results["onnx", "fp32"]).parity.status == "PASS"
