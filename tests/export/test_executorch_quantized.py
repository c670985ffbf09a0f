"""ExecuTorch in 8 bits: what is quantized, with which scales, and that the file says what the graph says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.fx import GraphModule

from deploy.contracts.artifact import Artifact, WideOp
from deploy.errors import DeployError
from export.calibration.choose import Chosen, Ranges
from export.calibration.methods import METHODS
from export.folding import folded
from export.formats.executorch_plan import Plan, plan_activations, plan_dynamic, plan_weights
from export.formats.executorch_quantized import (
    quantize_weight,
    quantized,
    quantized_dynamically,
    scale_of,
    simulated,
    static_scales,
)
from export.formats.executorch_ranges import Extremes, settled
from export.formats.executorch_rewrite import spell_out, without_places
from export.formats.executorch_runner import watch_values
from export.parity import sqnr_db
from export.quantization.fx_steps import fx_steps, fx_tail
from export.quantization.units import widened
from export.targets.executorch import ExecuTorchTarget
from tests.export.toys import Toy, export


class Detector(nn.Module):
    """Two branches that end in one tensor: boxes in pixels (0..640) and scores (0..1)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.act, self.pool = nn.SiLU(inplace=True), nn.MaxPool2d(2)
        self.box, self.score = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 8, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        left, right = self.act(self.norm(self.stem(image))).chunk(2, 1)
        found = self.pool(torch.cat([right, left], 1))
        boxes = self.box(found).flatten(2) * 640
        return torch.cat([boxes, self.score(found).flatten(2).sigmoid()], 1)


TABLES = """

class Tables(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(96, 64), nn.Linear(80, 64)

    def forward(self, a, b):
        return torch.relu(self.one(a)) + self.two(b)


def tables(): return Tables()
"""


class Clamped(nn.Module):
    """Ends in a clamp that XNNPACK runs inside the convolution; adds what an in-place op has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        kept = self.one(image)
        changed = torch.relu_(kept)
        return nn.functional.relu6(self.two(kept + changed))


def graph_of(net: nn.Module, *inputs: torch.Tensor) -> GraphModule:
    """The graph that the target quantizes."""
    torch.manual_seed(1)
    module: Any = folded(torch.export.export(net.eval(), inputs)).module()
    spell_out(module)
    return module  # type: ignore[no-any-return]


def planned(module: GraphModule) -> tuple[Plan, frozenset[str]]:
    """Static 8 bits for XNNPACK, and the tail."""
    tail = fx_tail(module.graph)
    return plan_activations(module.graph, tail, gates=True), tail


def ranges_of(module: GraphModule, plan: Plan, *inputs: torch.Tensor) -> Ranges:
    """Extremes of one sample."""
    found: Ranges = {}

    def watch(name: str, value: Any) -> None:
        found[name] = (float(value.min()), float(value.max()))

    names = [node.name for node in module.graph.nodes if node.op == "placeholder"]
    job: Any = SimpleNamespace(inputs=[SimpleNamespace(name=name) for name in names])
    sample = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    watch_values(module, job, plan.groups, sample, watch)
    return found


def calls(module: GraphModule, name: str) -> Iterator[torch.fx.Node]:
    """Calls of ops with such a name."""
    return (n for n in module.graph.nodes if n.op == "call_function" and name in str(n.target))


@pytest.fixture(scope="module")
def detector() -> tuple[GraphModule, torch.Tensor]:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 16, 16)
    return graph_of(Detector(), image), image


def test_scales_by_hand() -> None:
    assert scale_of(-1.0, 3.0) == (4 / 255, -64)
    assert scale_of(0.0, 2.55) == (pytest.approx(0.01), -128)
    assert scale_of(-2.55, 0.0) == (pytest.approx(0.01), 127)
    assert scale_of(1.0, 2.0) == (2 / 255, -128)  # 0 must be exact
    assert scale_of(0.0, 0.0) == (2.0**-14, -128)


def test_weights_by_hand() -> None:
    values, scales = quantize_weight(torch.tensor([[1.27, -0.02], [0.0, 0.0], [-2.54, 0.011]]), 0)
    assert values.tolist() == [[127, -2], [0, 0], [-127, 1]]
    assert scales.tolist() == pytest.approx([0.01, 2.0**-16, 0.02])
    values, scales = quantize_weight(torch.tensor([[1.27, -0.02], [0.0, 2.54]]), 1)
    assert values.tolist() == [[127, -1], [0, 127]]
    assert scales.tolist() == pytest.approx([0.01, 0.02])


def test_boxes_and_scores_never_share_a_scale(detector: tuple[GraphModule, torch.Tensor]) -> None:
    module, image = detector
    plan, tail = planned(module)
    joined = module.graph.output_node().all_input_nodes[0]
    assert "cat" in joined.name
    assert joined.name in tail
    assert not tail & (plan.ops | plan.made | plan.groups.keys())
    box, score = (node.name for node in calls(module, "conv2d") if node.name != "conv2d")
    assert plan.groups[box] != plan.groups[score]
    done = quantized(module, plan, ranges_of(module, plan, image))
    behind = [node for node in done.graph.nodes if node.name in tail]
    assert behind
    assert all("quantize_per_tensor.default" not in str(u.target) for node in behind for u in node.users)


def test_what_xnnpack_can_do_is_in_8_bits(detector: tuple[GraphModule, torch.Tensor]) -> None:
    module, image = detector
    plan, _ = planned(module)
    kinds = {str(n.target).split(".")[1] for n in module.graph.nodes if n.name in plan.ops}
    assert kinds == {"conv2d", "sigmoid", "mul", "slice", "cat", "max_pool2d"}
    inner = next(node for node in calls(module, "cat") if node.name in plan.ops)
    pieces = {plan.groups[each.name] for each in inner.all_input_nodes}
    assert pieces == {plan.groups[inner.name]}
    scales = static_scales(plan, ranges_of(module, plan, image))
    assert {scales[gate] for gate in plan.gates} == {(1 / 256, -128)}


def test_ranges_given_are_the_scales_written(detector: tuple[GraphModule, torch.Tensor]) -> None:
    module, image = detector
    plan, _ = planned(module)
    ranges = ranges_of(module, plan, image)
    ranges["image"] = (-1.0, 3.0)
    done = quantized(module, plan, ranges)
    door = next(node for node in calls(done, "quantize_per_tensor") if node.args[0].name == "image")
    assert door.args[1:5] == (4 / 255, -64, -128, 127)
    (reader,) = door.users
    assert reader.args[1:5] == door.args[1:5]
    moved = next(node for node in calls(done, "quantize_per_tensor") if node.args[0].name == "cat")
    members = [ranges[name] for name, group in plan.groups.items() if group == plan.groups["cat"]]
    assert len(members) > 2
    low, high = min(m[0] for m in members), max(m[1] for m in members)
    assert moved.args[1:3] == scale_of(low, high)


def test_answers_are_not_cut_and_the_flat_side_of_silu_is(detector: tuple[GraphModule, torch.Tensor]) -> None:
    module, image = detector
    plan, _ = planned(module)
    assert plan.gated == {"conv2d"}
    box, score = (node.name for node in calls(module, "conv2d") if node.name != "conv2d")
    assert plan.answers == {box, score}
    cut: Ranges = dict.fromkeys(ranges_of(module, plan, image), (-20.0, 0.5))
    found = settled(plan, cut, {box: (-3.0, 4.0), score: (-30.0, -1.0)})
    assert found.pop(box) == (-3.0, 4.0)
    assert found.pop(score) == (-30.0, 0.0)
    assert found.pop("conv2d") == (-8.0, 0.5)
    assert set(found.values()) == {(-20.0, 0.5)}


def test_a_widened_layer_stays_float_with_what_is_behind_it(
    detector: tuple[GraphModule, torch.Tensor],
) -> None:
    module, image = detector
    tail = fx_tail(module.graph)
    more = widened(fx_steps(module.graph), tail, {"conv2d"}, str)
    assert {"conv2d", "sigmoid_default", "mul_tensor", "cat"} <= more
    plan = plan_activations(module.graph, tail, True, more)
    assert set(plan.products) == {"conv2d_1", "conv2d_2"}
    assert not plan.ops & more
    assert plan.answers == {"conv2d_1", "conv2d_2"}
    ranges = ranges_of(module, plan, image)
    with torch.inference_mode():
        exact, quick = module(image).numpy(), simulated(module, plan, ranges)(image).numpy()
        real = quantized(module, plan, ranges)(image).numpy()
    assert sqnr_db(real, quick) > 60
    assert sqnr_db(exact, real) > 30


def test_what_a_widened_layer_reads_is_no_answer() -> None:
    image = torch.rand(1, 3, 8, 8)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3))
    module = graph_of(net, image)
    tail = fx_tail(module.graph)
    assert not tail
    plan = plan_activations(module.graph, tail, True, {"conv2d_1"})
    assert set(plan.products) == {"conv2d", "conv2d_2"}
    assert plan.answers == {"conv2d_2"}


def test_extremes_are_those_of_all_samples() -> None:
    extremes = Extremes()
    for values in ([1.0, 2.0], [-3.0, 0.5], []):
        extremes.add("x", np.array(values, np.float32))
    assert extremes.ranges == {"x": (-3.0, 2.0)}


def test_rounding_in_torch_is_the_quantized_graph(detector: tuple[GraphModule, torch.Tensor]) -> None:
    module, image = detector
    plan, _ = planned(module)
    ranges = ranges_of(module, plan, image)
    with torch.inference_mode():
        exact, quick, real = (
            made(image).numpy()
            for made in (module, simulated(module, plan, ranges), quantized(module, plan, ranges))
        )
    assert sqnr_db(real, quick) > 60
    assert 20 < sqnr_db(exact, real) < 80


def test_a_clamp_belongs_to_its_convolution_even_at_the_end() -> None:
    image = torch.rand(1, 3, 8, 8)
    net = Clamped().eval()
    with torch.inference_mode():
        expected = net(image.clone())
    module = graph_of(net, image)
    with torch.inference_mode():
        torch.testing.assert_close(module(image), expected)
    plan, tail = planned(module)
    (last,) = module.graph.output_node().all_input_nodes
    assert last.name in tail & plan.made
    assert set(plan.products) <= plan.ops
    assert last.args[0].name not in plan.groups
    with torch.inference_mode():
        found = quantized(module, plan, ranges_of(module, plan, image))(image)
    assert sqnr_db(expected.numpy(), found.numpy()) > 30


def test_weights_alone_and_at_every_call(detector: tuple[GraphModule, torch.Tensor]) -> None:
    module, image = detector
    with torch.inference_mode():
        exact = module(image).numpy()
        light = quantized(module, plan_weights(module.graph), {})
        dynamic = quantized_dynamically(module, plan_dynamic(module.graph, fx_tail(module.graph)))
        assert sqnr_db(exact, light(image).numpy()) > 35
        assert sqnr_db(exact, dynamic(image).numpy()) > 30
    assert not list(calls(light, "quantize_per_tensor"))
    assert len(list(calls(dynamic, "choose_qparams"))) == 3
    floats = [
        name for name, value in dynamic.named_buffers() if value.dim() > 1 and value.is_floating_point()
    ]
    assert not floats, "fp32 weights would be stored beside the 8-bit ones"


def test_grouped_convolutions_stay_float_when_ranges_are_taken_at_every_call() -> None:
    net = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1))
    module = graph_of(net, torch.rand(1, 8, 8, 8))
    assert "conv2d" not in plan_dynamic(module.graph, ()).products
    assert {"conv2d_1", "conv2d_2"} == set(plan_dynamic(module.graph, ()).products)


def test_pads_of_zeros_stay_in_8_bits_and_others_do_not() -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            zeros = nn.functional.pad(self.one(image), (0, 1, 0, 1))
            lows = nn.functional.pad(zeros, (1, 1, 1, 1), value=-float("inf"))
            return self.two(nn.functional.max_pool2d(lows, 3, 1))  # type: ignore[no-any-return]

    image = torch.rand(1, 3, 16, 16)
    net = Padded().eval()
    module = graph_of(net, image)
    plan, _ = planned(module)
    assert "constant_pad_nd" in str(next(calls(module, "pad")).target)
    assert {n.name for n in calls(module, "pad")} & plan.ops == {next(calls(module, "pad")).name}
    with torch.inference_mode():
        torch.testing.assert_close(module(image), net(image))


def test_in_place_ops_alone_can_be_taken_out() -> None:
    image = torch.rand(1, 3, 8, 8)
    module: Any = torch.export.export(Clamped().eval(), (image,)).module()
    with torch.inference_mode():
        expected = module(image.clone())
        without_places(module)
        torch.testing.assert_close(module(image), expected)
    assert not [n for n in module.graph.nodes if str(n.target).split(".")[-2:-1] == ["relu_"]]


@pytest.mark.parametrize(("backend", "precision"), [("xnnpack", "w8"), ("coreml", "w8a8-dynamic")])
def test_what_a_delegate_lacks_is_refused(backend: str, precision: str, tmp_path: Path) -> None:
    job: Any = SimpleNamespace(executorch_backend=backend, decode=None)
    target = ExecuTorchTarget(job, None, (), None)  # type: ignore[arg-type]
    with pytest.raises(DeployError, match="delegate cannot be exported") as caught:
        target.convert(precision, tmp_path)
    assert caught.value.error_id == "PRECISION-LACKING"
    assert "w8a8" in caught.value.remedy


# Whole files


def pictures(folder: Path) -> dict[str, Any]:
    """Noise to calibrate on, and the preprocessing that makes it a picture model."""
    noise = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(20):
        cv2.imwrite(
            str(folder / "pictures" / f"{number:02d}.png"), noise.integers(0, 255, (64, 64, 3), np.uint8)
        )
    block = {"input_name": "image", "width": 64, "height": 64, "mean": [0, 0, 0], "std": [1, 1, 1]}
    (folder / "preprocess.json").write_text(json.dumps(block))
    return {"preprocess": folder / "preprocess.json", "calibration": (folder / "pictures",)}


def made(toy: Toy, function: str = "build", **changes: Any) -> dict[str, Artifact]:
    """ExecuTorch artifacts by precision; a missing one fails with its reason."""
    found = {}
    for (target, precision), result in export(
        toy.request(function, targets=("executorch",), **changes)
    ).items():
        if target == "executorch":
            assert result.artifact is not None, result.row
            found[precision] = result.artifact
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("in_process")
def test_xnnpack_files_are_what_their_labels_say(toy: Toy, tmp_path: Path) -> None:
    wanted = {**pictures(tmp_path), "precisions": ("w8a8", "w8a8-dynamic")}
    files = made(toy, **wanted)
    static, dynamic = files["w8a8"], files["w8a8-dynamic"]
    assert (static.deployment["activations"], dynamic.deployment["activations"]) == ("static", "dynamic")
    for artifact in files.values():
        assert artifact.parity.status == "PASS"
        stage, file = artifact.parity.hops
        assert stage.hop.endswith("torch graph")
        assert stage.sqnr_db is not None
        assert file.sqnr_db is not None
        assert abs(stage.sqnr_db - file.sqnr_db) < 3
        assert file.sqnr_db > 30
        assert artifact.proof.weight_bytes["int8"] == 432 + 576 + 256
        assert artifact.proof.weight_bytes["float32"] < 200
        assert artifact.proof.partitions == 1
    assert static.proof.ops["int8"] == 8
    assert dynamic.proof.ops["int8"] == 3
    assert [op.name for op in static.proof.wide_ops] == ["conv2d_2", "sigmoid"]
    assert static.calibration is not None
    assert len(static.calibration.trials) == len(METHODS)
    again = made(toy, **wanted, use_cache=False)
    assert {p: a.model_sha256 for p, a in again.items()} == {p: a.model_sha256 for p, a in files.items()}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["xnnpack", "coreml"])
def test_the_automatic_mix_is_written_as_it_was_found(
    backend: str, detector: tuple[GraphModule, torch.Tensor], tmp_path: Path
) -> None:
    if backend == "coreml" and find_spec("coremltools") is None:
        pytest.skip("coremltools is not installed")
    _, image = detector
    torch.manual_seed(1)
    program = torch.export.export(Detector().eval(), (image,))
    sample = {"image": image.numpy()}
    mix = WideOp(name="conv2d", reason="alone in 8 bits it diverges by 3")
    spec = SimpleNamespace(name="image"), SimpleNamespace(name="found")
    job: Any = SimpleNamespace(
        executorch_backend=backend,
        coreml_target="iOS17",
        inputs=spec[:1],
        outputs=spec[1:],
        preprocess=None,
        decode=None,
        mix=SimpleNamespace(layers=("conv2d", "conv2d_1", "conv2d_2"), wide=(mix,)),
    )

    class Extreme:
        def calibrate(self, observe: Any, build: Any) -> Chosen:
            seen = Extremes()
            observe(sample, seen.add)
            assert build(seen.ranges)(sample)["found"].shape == (1, 12, 64)
            return Chosen(seen.ranges, ())

    given: Any = Extreme()
    target = ExecuTorchTarget(job, program, [sample], given)
    found = target.convert("auto", tmp_path)
    assert found.wide_ops[0] == mix
    assert len(found.wide_ops) > 1
    weights = target.prove(tmp_path / found.model_file).weight_bytes
    assert weights["int8"] == 64 + 128
    assert weights["float32" if backend == "xnnpack" else "float16"] >= 432 * (
        4 if backend == "xnnpack" else 2
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("in_process")
def test_a_model_without_pictures_is_quantized_at_every_call(toy: Toy) -> None:
    toy.nets.write_text(toy.nets.read_text() + TABLES)
    files = made(toy, "tables", precisions=("w8a8-dynamic",), inputs=(("a", (1, 96)), ("b", (1, 80))))
    proof = files["w8a8-dynamic"].proof
    assert proof.weight_bytes["int8"] == 64 * (96 + 80)
    assert proof.ops["int8"] == 2
    assert files["w8a8-dynamic"].parity.status == "PASS"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("in_process")
@pytest.mark.skipif(find_spec("coremltools") is None, reason="coremltools is not installed")
def test_core_ml_inside_executorch(toy: Toy, tmp_path: Path) -> None:
    wanted = {**pictures(tmp_path), "precisions": ("w8", "w8a8"), "executorch_backend": "coreml"}
    files = made(toy, **wanted)
    assert files["w8a8"].deployment["delegate"] == "CoreML"
    assert files["w8a8"].deployment["activations"] == "static"
    for artifact in files.values():
        weights = artifact.proof.weight_bytes
        assert weights["int8"] >= 432 + 576 + 256
        assert weights["int8"] > 0.9 * sum(weights.values())
        assert artifact.parity.status in ("PASS", "UNKNOWN")
        assert artifact.parity.hops[0].status == "PASS"
    assert "int8" not in files["w8"].proof.ops
    narrow = {kind: files["w8a8"].proof.ops.get(kind, 0) for kind in ("int8", "uint8")}
    assert sum(narrow.values()) == 3, "one for every convolution before the tail"
