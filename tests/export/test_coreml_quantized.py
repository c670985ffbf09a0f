"""Core ML in 8, 6 and 4 bits: what stands in the package, with which scales, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from export.build import Built, build
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations
from export.formats.coreml_steps import name_of, reads_of
from export.mil.program import MilProgram
from export.parity import sqnr_db
from tests.export.quantization.scenes import (
    SCORES,
    WEIGHTS,
    Scene,
    answer,
    artifact_of,
    expected,
    model_of,
    shared_scene,
    unseen,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Files = dict[str, Built]
CHANNELS = (64, 320, 64, 64, 20)
GRID = [1, 4, 1024]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with shared_scene(tmp_path_factory) as found:
        yield found


@pytest.fixture(scope="module")
def files(scene: Scene) -> Files:
    """The detector in few bits, for iOS 17 and (``blocks``) iOS 18."""
    found = scene.files(targets=("coreml",), precisions=("w8", "w6", "w4", "w8a8"), calibration_count=8)
    newer = scene.files(targets=("coreml",), precisions=("w4",), coreml_target="iOS18", name="newer")
    return {**found, "blocks": newer["w4"]}


@dataclass(frozen=True)
class Program:
    """A package's ops."""

    ops: list[Any]

    def of(self, kind: str) -> list[Any]:
        return [op for op in self.ops if op.type == kind]

    def maker(self, name: str) -> Any:
        return next((op for op in self.ops if op.outputs and op.outputs[0].name == name), None)

    def readers(self, name: str) -> list[Any]:
        return [op for op in self.ops if name in reads_of(op)]


def program_of(result: Built) -> Program:
    """The package, opened."""
    return Program(operations(read_spec(model_of(result))))


def shape_of(value: Any) -> list[int]:
    """A stored value's or an output's shape."""
    return [dimension.constant.size for dimension in value.type.tensorType.dimensions]


@pytest.mark.parametrize(
    ("name", "least"), [("w8", 50), ("w6", 40), ("w4", 25), ("blocks", 25), ("w8a8", 40)]
)
def test_files_answer_like_fp32(scene: Scene, files: Files, name: str, least: float) -> None:
    image = unseen()
    exact, given = expected(scene, image), answer(files[name], image)
    assert sqnr_db(exact, given) > least
    assert np.abs(exact - given)[:, SCORES].max() < 0.03, "scores must survive beside boxes"
    parity = artifact_of(files[name]).parity
    assert (parity.status, parity.reason) == ("PASS", None)
    base = "captured -> fp16 Core ML program"
    stages = [base, "captured -> file"]
    if name == "w8a8":
        stages = [f"{base}, readied for 8 bits", "captured -> 8-bit activations", "captured -> file"]
    assert [hop.hop for hop in parity.hops] == stages


def test_proofs_count_what_is_inside(files: Files) -> None:
    weights = sum(WEIGHTS.values())
    kinds = {"w8": ("int8", 8), "w6": ("uint6", 6), "w4": ("uint4", 4), "w8a8": ("int8", 8)}
    for precision, (kind, bits) in kinds.items():
        proof = artifact_of(files[precision]).proof
        zeros = sum(CHANNELS) if kind == "int8" else 0
        assert proof.weight_bytes[kind] == weights * bits // 8 + zeros, precision
    light, whole = artifact_of(files["w8"]).proof, artifact_of(files["w8a8"]).proof
    assert set(light.ops) == {"float16"}
    assert sum(whole.ops.get(kind, 0) for kind in ("int8", "uint8")) >= 4
    # the first layer has 3 input channels, which no block of 32 divides
    assert artifact_of(files["blocks"]).proof.weight_bytes["int4"] == (weights - WEIGHTS["trunk"]) // 2


def test_how_weights_were_made_small_is_told(files: Files) -> None:
    told = {name: artifact_of(result).deployment["weights"] for name, result in files.items()}
    assert told == {
        "w8": "int8 per channel",
        "w6": "palette of 64 values (k-means)",
        "w4": "palette of 16 values (k-means)",
        "w8a8": "int8 per channel",
        "blocks": "int4 in blocks of 32",
    }
    assert artifact_of(files["blocks"]).deployment["minimum_os"] == "iOS18"
    kinds = {name: {op.type for op in program_of(each).ops} for name, each in files.items()}
    assert "constexpr_blockwise_shift_scale" in kinds["blocks"]
    assert "constexpr_lut_to_dense" in kinds["w4"] & kinds["w6"]
    palettes = {name: program_of(files[name]).of("constexpr_lut_to_dense") for name in ("w4", "w6")}
    assert [len(found) for found in palettes.values()] == [len(WEIGHTS)] * 2
    sizes = {name: {tuple(shape_of(op.attributes["lut"])) for op in ops} for name, ops in palettes.items()}
    assert sizes == {"w4": {(16,)}, "w6": {(64,)}}


@pytest.mark.parametrize("precision", ["w8", "w8a8"])
def test_scales_are_per_channel_and_norms_are_folded(files: Files, precision: str) -> None:
    program = program_of(files[precision])
    assert not program.of("batch_norm")
    compressed = program.of("constexpr_affine_dequantize")
    assert sorted(shape_of(op.attributes["scale"]) for op in compressed) == sorted([n] for n in CHANNELS)
    (trunk,) = (
        op
        for op in program.of("conv")
        if shape_of(op.outputs[0])[1:] == [64, 32, 32] and _reads_image(program, op)
    )
    (weight,) = reads_of(trunk, "weight")
    assert program.maker(weight).type == "constexpr_affine_dequantize"


def _reads_image(program: Program, op: Any) -> bool:
    """Whether a convolution stands at the beginning, a quantize and dequantize aside."""
    name = next(reads_of(op, "x"))
    while (made := program.maker(name)) is not None and made.type in ("quantize", "dequantize", "cast"):
        name = next(reads_of(made, "x" if made.type == "cast" else "input"))
    return made is None


def test_constants_that_are_no_weights_stay_float(files: Files) -> None:
    """coremltools would compress every constant of more than 2048 numbers; a grid then has 0.6-wide steps."""
    for name, result in files.items():
        grids = [op for op in program_of(result).ops if op.outputs and shape_of(op.outputs[0]) == GRID]
        assert [op.outputs[0].type.tensorType.dataType for op in grids if op.type == "const"] == [10], name
        assert not [op for op in grids if op.type.startswith("constexpr")], name


def test_the_tail_is_float_and_boxes_and_scores_share_no_scale(files: Files) -> None:
    program = program_of(files["w8a8"])
    wide = artifact_of(files["w8a8"]).proof.wide_ops
    tail = {op.name for op in wide if "behind the last weights" in op.reason}
    found = [op for op in program.ops if op.type != "const" and name_of(op) in tail]
    assert {"softmax", "sigmoid", "concat"} <= {op.type for op in found}
    for op in found:
        assert not [each for each in program.readers(op.outputs[0].name) if each.type == "quantize"]
    scales = {name: _scale_behind(program, channels) for name, channels in (("box", 64), ("score", 20))}
    assert scales["box"] != scales["score"]


def _scale_behind(program: Program, channels: int) -> str:
    """Stored form of the scale that the last convolution with so many channels is answered in."""
    last = [op for op in program.of("conv") if shape_of(op.outputs[0])[1] == channels][-1]
    (reader,) = program.readers(last.outputs[0].name)
    assert reader.type == "quantize"
    (scale,) = reads_of(reader, "scale")
    return str(program.maker(scale).attributes["val"].immediateValue)


def test_activations_have_a_zero_point_where_silu_needs_one(files: Files) -> None:
    program = program_of(files["w8a8"])
    (silu,) = program.of("silu")
    (reader,) = program.readers(silu.outputs[0].name)
    assert reader.type == "quantize"
    assert list(reads_of(reader, "zero_point"))


def test_ranges_are_those_of_all_pictures(scene: Scene, files: Files) -> None:
    """coremltools 9.0 keeps the last sample's alone."""
    result = scene.files(
        targets=("coreml",), precisions=("w8a8",), calibrator="minmax", calibration_count=8, name="minmax"
    )["w8a8"]
    calibration = artifact_of(result).calibration
    assert calibration is not None
    assert [(each.method, each.divergence) for each in calibration.trials] == [("minmax", None)]
    loaded = MilProgram.load(model_of(result))
    seen: dict[str, torch.Tensor] = {}
    loaded.observe({"image": np.ones((1, 3, 64, 64), np.float32)}, seen.__setitem__)
    doors = [op for op in program_of(result).of("dequantize") if _of_image(program_of(result), op)]
    assert len(doors) == 1
    whitest = float(seen[doors[0].outputs[0].name].max())
    largest = [float(image.max()) / 255 for image in _pictures(scene)]
    assert whitest == pytest.approx(max(largest), abs=0.01)
    assert min(largest) < max(largest)


def _of_image(program: Program, op: Any) -> bool:
    made = program.maker(next(reads_of(op, "input")))
    return made is not None and "image" in list(reads_of(made, "input"))


def _pictures(scene: Scene) -> list[np.ndarray]:
    from export.calibration.input import pictures_for
    from export.sources import open_source

    request = scene.request(calibration_count=8)
    found = pictures_for(request, open_source(request), ("w8a8",))
    assert found is not None
    return [sample.image for sample in found.calibration]


def test_the_same_pictures_give_the_same_bytes(scene: Scene, files: Files) -> None:
    again = scene.files(
        targets=("coreml",), precisions=("w8", "w6", "w8a8"), calibration_count=8, use_cache=False
    )
    for precision, result in again.items():
        assert not result.cached
        assert artifact_of(result).model_sha256 == artifact_of(files[precision]).model_sha256, precision


def test_pictures_as_input(scene: Scene) -> None:
    """Ranges are taken of the package that normalises inside, so it must be calibrated with pixels."""
    result = scene.files(
        targets=("coreml",),
        precisions=("w8a8",),
        coreml_input="image",
        calibrator="minmax",
        calibration_count=8,
        name="pixels",
    )["w8a8"]
    artifact = artifact_of(result)
    assert artifact.preprocess is not None
    assert artifact.preprocess.input_kind == "image"
    assert read_spec(model_of(result)).description.input[0].type.WhichOneof("Type") == "imageType"
    pixels = np.random.default_rng(3).integers(0, 256, (1, 3, 64, 64)).astype(np.float32)
    assert sqnr_db(expected(scene, pixels / np.float32(255)), answer(result, pixels)) > 40
    assert artifact.parity.status == "PASS"


def test_a_system_without_the_ops_is_a_refused_row(scene: Scene) -> None:
    request = scene.request(
        targets=("coreml",), precisions=("w8a8",), coreml_target="iOS16", calibration_count=4, name="old"
    )
    (_, result) = build(request)
    assert result.artifact is None
    assert result.row is not None
    assert (result.row.status, result.row.error_id) == ("refused", "SYSTEM-TOO-OLD")
    assert "--coreml-target iOS17" in str(result.row.remedy)
