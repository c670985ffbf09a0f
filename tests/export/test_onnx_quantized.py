"""ONNX in 8 bits: what stands in the file, with which scales, and that ONNX Runtime answers like fp32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from deploy.contracts.artifact import MANIFEST
from deploy.errors import DeployError
from deploy.vision.images import pixel_digest, read_rgb
from export.build import Built
from export.calibration.methods import METHODS, PREFERRED
from export.formats.onnx_quantized import pool_means, quantize_activations, quantize_weights
from export.parity import sqnr_db
from export.verify import VerifyRequest, verify
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
    write_pictures,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Files = dict[str, Built]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with shared_scene(tmp_path_factory) as found:
        yield found


@pytest.fixture(scope="module")
def files(scene: Scene) -> Files:
    """The detector in 8 bits."""
    return scene.files(targets=("onnx",), precisions=("w8", "w8a8"))


@dataclass(frozen=True)
class Graph:
    """A file as its nodes and constants."""

    model: onnx.ModelProto

    @property
    def constants(self) -> dict[str, np.ndarray]:
        return {each.name: numpy_helper.to_array(each) for each in self.model.graph.initializer}

    def nodes(self, kind: str) -> list[Any]:
        return [node for node in self.model.graph.node if node.op_type == kind]

    def maker(self, name: str) -> Any:
        return next((node for node in self.model.graph.node if name in node.output), None)

    def readers(self, name: str) -> list[Any]:
        return [node for node in self.model.graph.node if name in node.input]

    def quantized(self, node: Any) -> bool:
        """Whether a convolution reads its weight through DequantizeLinear."""
        made = self.maker(node.input[1]) if node.op_type in ("Conv", "ConvTranspose") else None
        return made is not None and made.op_type == "DequantizeLinear"

    def weight(self, node: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """A node's stored weight with its scales, zero points and axis."""
        made = self.maker(node.input[1])
        values, scales, zeros = (self.constants[name] for name in made.input)
        return values, scales, zeros, next(each.i for each in made.attribute if each.name == "axis")


def graph_of(result: Built) -> Graph:
    """The file, opened."""
    model = onnx.load(str(model_of(result)))
    onnx.checker.check_model(model)
    return Graph(model)


def folded_trunk(scene: Scene) -> np.ndarray:
    """The first convolution's weights with the norm behind it multiplied in, by hand."""
    net = scene.toy.module("detector")
    gain = (net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()).reshape(-1, 1, 1, 1)
    found: np.ndarray = (net.trunk.weight * gain).detach().numpy()
    return found


def test_files_answer_like_fp32(scene: Scene, files: Files) -> None:
    image = unseen()
    exact = expected(scene, image)
    for precision, least in (("w8", 40), ("w8a8", 35)):
        artifact = artifact_of(files[precision])
        assert (artifact.parity.status, artifact.parity.reason) == ("PASS", None)
        assert [hop.hop for hop in artifact.parity.hops] == [
            "captured -> fp32 ONNX graph" + (", readied for 8 bits" if precision == "w8a8" else ""),
            "captured -> file",
        ]
        given = answer(files[precision], image)
        assert sqnr_db(exact, given) > least
        assert np.abs(exact - given)[:, SCORES].max() < 0.02, "scores must survive beside boxes"


def test_proofs_count_what_is_inside(files: Files) -> None:
    light, whole = artifact_of(files["w8"]).proof, artifact_of(files["w8a8"]).proof
    weights, channels = sum(WEIGHTS.values()), 64 + 320 + 64 + 64 + 20
    assert light.weight_bytes["int8"] == weights + channels  # a zero point a channel
    assert set(light.ops) == {"float32"}
    assert whole.weight_bytes["int8"] >= weights
    assert whole.ops["uint8"] >= len(WEIGHTS)
    assert light.wide_ops == ()


@pytest.mark.parametrize("precision", ["w8", "w8a8"])
def test_scales_are_per_channel_and_symmetric_and_norms_are_folded(
    scene: Scene, files: Files, precision: str
) -> None:
    graph = graph_of(files[precision])
    assert not graph.nodes("BatchNormalization")
    layers = [node for node in graph.model.graph.node if graph.quantized(node)]
    assert len(layers) == len(WEIGHTS)
    for node in layers:
        values, scales, zeros, axis = graph.weight(node)
        assert (values.dtype, axis) == (np.int8, 1 if node.op_type == "ConvTranspose" else 0)
        assert scales.shape == (values.shape[axis],)
        assert not zeros.any()
        others = tuple(number for number in range(values.ndim) if number != axis)
        assert (np.abs(values).max(others) == 127).all()
    values, scales, _, _ = graph.weight(layers[0])
    wanted = folded_trunk(scene)
    np.testing.assert_allclose(scales, np.abs(wanted).max((1, 2, 3)) / 127, rtol=1e-5)
    steps = scales.reshape(-1, 1, 1, 1)
    assert (np.abs(values * steps - wanted) <= steps * 0.51).all()


def test_constants_that_are_no_weights_stay_float(scene: Scene, files: Files) -> None:
    grid = scene.toy.module("detector").grid.numpy()
    assert grid.size > 2048
    for result in files.values():
        (kept,) = (each for each in graph_of(result).constants.values() if each.shape == grid.shape)
        assert kept.dtype == np.float32
        np.testing.assert_array_equal(kept, grid)


def test_the_tail_is_float_and_boxes_and_scores_share_no_scale(files: Files) -> None:
    graph = graph_of(files["w8a8"])
    artifact = artifact_of(files["w8a8"])
    tail = {op.name for op in artifact.proof.wide_ops if "behind the last weights" in op.reason}
    nodes = [node for node in graph.model.graph.node if node.name in tail]
    assert {"Softmax", "Sigmoid", "Concat"} <= {node.op_type for node in nodes}
    outputs = {output.name for output in graph.model.graph.output}
    for node in nodes:
        for name in node.output:
            assert name in outputs or graph.readers(name)
            assert not [reader for reader in graph.readers(name) if reader.op_type == "QuantizeLinear"], name
    scales = [_scale_behind(graph, channels) for channels in (64, 20)]
    assert scales[0] != scales[1]


def _scale_behind(graph: Graph, channels: int) -> tuple[str, float]:
    """Name and value of the scale that a convolution with so many channels is answered in."""
    for node in graph.nodes("Conv"):
        if graph.quantized(node) and graph.weight(node)[0].shape[:2] == (channels, 64):
            (reader,) = graph.readers(node.output[0])
            assert reader.op_type == "QuantizeLinear"
            return reader.input[1], float(graph.constants[reader.input[1]])
    raise AssertionError(f"no convolution makes {channels} channels")


def test_pairings_are_the_files_types(scene: Scene, files: Files) -> None:
    arm = scene.files(targets=("onnx",), precisions=("w8a8",), onnx_pairing="arm", name="arm")["w8a8"]
    for result, told, activations in (
        (files["w8a8"], "U8S8 (x86)", TensorProto.UINT8),
        (arm, "S8S8 (arm)", TensorProto.INT8),
    ):
        assert artifact_of(result).deployment["pairing"] == told
        graph = graph_of(result)
        kinds = {each.name: each.data_type for each in graph.model.graph.initializer}
        assert {kinds[node.input[2]] for node in graph.nodes("QuantizeLinear")} == {activations}
        weights = {
            kinds[graph.maker(node.input[1]).input[0]]
            for node in graph.nodes("Conv")
            if graph.quantized(node)
        }
        assert weights == {TensorProto.INT8}
    assert "pairing" not in artifact_of(files["w8"]).deployment
    image = unseen()
    assert sqnr_db(answer(files["w8a8"], image), answer(arm, image)) > 40


def test_the_same_pictures_give_the_same_bytes(scene: Scene, files: Files) -> None:
    again = scene.files(targets=("onnx",), precisions=("w8", "w8a8"), use_cache=False)
    for precision, result in files.items():
        assert not again[precision].cached
        assert artifact_of(again[precision]).model_sha256 == artifact_of(result).model_sha256


def test_the_manifest_tells_the_calibration(scene: Scene, files: Files) -> None:
    artifact = artifact_of(files["w8a8"])
    block = artifact.calibration
    assert block is not None
    assert (block.source, block.samples, block.hold_out) == (str(scene.pictures), 20, 4)
    assert (block.classes_unseen, block.finetuned_steps, artifact.mix) == (None, 0, None)
    ways = {(trial.method, trial.samples) for trial in block.trials}
    assert ways == {(method, count) for method in METHODS for count in (16, 20)}
    found = [trial.divergence or 0.0 for trial in block.trials]
    assert all(each > 0 for each in found)
    assert found[1:] == sorted(found[1:])
    assert found[0] == min(found) or block.trials[0].method == PREFERRED
    pictures = {pixel_digest(read_rgb(path)) for path in scene.pictures.iterdir()}
    assert set(artifact.calibration_samples) == pictures
    assert artifact.calibration_sha256
    light = artifact_of(files["w8"])
    assert (light.calibration, light.calibration_sha256, light.calibration_samples) == (None, None, ())


@pytest.mark.usefixtures("inline")
def test_verify_refuses_the_calibrations_own_pictures(scene: Scene, files: Files, tmp_path: Path) -> None:
    folder = files["w8a8"].folder
    assert folder is not None
    assert (folder / MANIFEST).is_file()

    def ask(data: Path) -> VerifyRequest:
        return VerifyRequest(
            artifacts=(folder,),
            data=data,
            reference=None,
            metric=None,
            budget=0.5,
            limit=None,
            replicates=50,
            with_slices=False,
            seed=0,
            threads=1,
        )

    with pytest.raises(DeployError) as caught:
        verify(ask(scene.pictures))
    assert caught.value.error_id == "CALIBRATION-LEAK"
    (report,) = verify(ask(write_pictures(tmp_path / "other", 4, seed=5)))
    assert report.rows[0].status == "MEASURED"


def test_matrix_products_and_small_weights_by_hand() -> None:
    from onnx import helper

    rng = np.random.default_rng(0)
    arrays = {
        "gemm": rng.standard_normal((32, 16)).astype(np.float32),
        "product": rng.standard_normal((32, 32)).astype(np.float32),
        "small": rng.standard_normal((32, 4)).astype(np.float32),
    }
    arrays["product"][:, 3] = 0
    nodes = [
        helper.make_node("Gemm", ["x", "gemm"], ["a"], name="one", transB=1),
        helper.make_node("MatMul", ["x", "product"], ["b"], name="two"),
        helper.make_node("MatMul", ["b", "small"], ["c"], name="three"),
    ]
    shapes = {"a": [2, 32], "c": [2, 4]}
    arrays["gemm"] = np.ascontiguousarray(rng.standard_normal((32, 32)).astype(np.float32))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 32])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    done = Graph(quantize_weights(model))
    onnx.checker.check_model(done.model)
    one, two = done.nodes("Gemm")[0], done.nodes("MatMul")[0]
    assert done.weight(one)[3] == 0
    values, scales, _, axis = done.weight(two)
    assert axis == 1
    assert scales[3] == 1
    np.testing.assert_allclose(values * scales, arrays["product"], atol=scales.max() / 2)
    assert done.constants["small"].dtype == np.float32, "fewer than 256 elements are no saving"
    kept = Graph(quantize_weights(model, wide=("two",)))
    assert kept.constants["product"].dtype == np.float32


def means(axes: dict[str, tuple[int, ...]], keepdims: int = 1) -> onnx.ModelProto:
    """A 2x8x6x5 picture whose means are taken over several axes, each by a node of that name."""
    from onnx import helper, shape_inference

    kept = {
        name: [1 if a in {n % 4 for n in axes[name]} else d for a, d in enumerate((2, 8, 6, 5))]
        for name in axes
    }
    dropped = {
        name: [d for a, d in enumerate((2, 8, 6, 5)) if a not in {n % 4 for n in axes[name]}] for name in axes
    }
    graph = helper.make_graph(
        [
            helper.make_node(
                "ReduceMean", ["x", f"{name}_axes"], [name], name=f"of_{name}", keepdims=keepdims
            )
            for name in axes
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8, 6, 5])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (kept if keepdims else dropped).items()
        ],
        [numpy_helper.from_array(np.array(value, np.int64), f"{name}_axes") for name, value in axes.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return shape_inference.infer_shapes(model)


def test_means_over_the_picture_run_in_8_bits() -> None:
    import onnxruntime

    picture = np.random.default_rng(0).standard_normal((2, 8, 6, 5)).astype(np.float32)
    axes = {"both": (2, 3), "backwards": (-1, -2), "rows": (2,), "channels": (1,), "wide": (2, 3)}
    model = means(axes)
    pool_means(model, wide=("of_wide",))
    onnx.checker.check_model(model)
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert [kinds[f"of_{name}"] for name in axes] == ["GlobalAveragePool"] * 2 + ["ReduceMean"] * 3
    assert {tensor.name for tensor in model.graph.initializer} == {"rows_axes", "channels_axes", "wide_axes"}
    run = onnxruntime.InferenceSession(model.SerializeToString()).run
    for name, values in zip(axes, run(list(axes), {"x": picture}), strict=True):
        np.testing.assert_allclose(values, picture.mean(axes[name], keepdims=True), atol=1e-5)
    flat = means({"both": (2, 3)}, keepdims=0)
    pool_means(flat)
    assert flat.graph.node[0].op_type == "ReduceMean", "a pool keeps the picture's axes"
    given = means({"both": (2, 3)})
    ranges = {"x": (float(picture.min()), float(picture.max())), "both": (-1.0, 1.0)}
    narrow = quantize_activations(given, ranges, (), "x86")
    assert given.graph.node[0].op_type == "ReduceMean", "the caller's graph stays as it is"
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(narrow.SerializeToString(), options)
    (found,) = session.run(["both"], {"x": picture})
    np.testing.assert_allclose(found, picture.mean((2, 3), keepdims=True), atol=2 * 2 / 255)
