"""The automatic mix is found, told and really in the files; training for 8 bits is kept where it pays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from deploy.contracts.decode import BinaryMaskDecode
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.vision.images import pixel_digest, read_rgb, write_png
from deploy.vision.preprocess import prepare
from export.build import Built, build
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations
from export.formats.coreml_steps import name_of, reads_of
from export.quantization.auto import Material, plan_mix
from export.request import ExportRequest
from export.verify import VerifyRequest, verify
from tests.export.quantization.scenes import Scene, artifact_of, model_of, shared_scene, write_pictures
from tests.export.toys import by_cell
from training.data.folders import open_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPIKY = '''

class Spiky(nn.Module):
    """A segmenter whose fourth layer has one channel a thousand times louder than the others."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.body, self.back = nn.Conv2d(32, 64, 3, padding=1), nn.Conv2d(64, 32, 3, padding=1)
        self.loud, self.calm = nn.Conv2d(32, 16, 1), nn.Conv2d(16, 32, 1)
        self.up, self.last = nn.ConvTranspose2d(32, 16, 2, stride=2), nn.Conv2d(16, 1, 1)
        with torch.no_grad():
            self.loud.weight[0].abs_().mul_(1000)
            self.calm.weight[:, 0] /= 1000
            drawn = torch.Generator().manual_seed(3)
            colour, noise = (torch.rand(size, generator=drawn) for size in ((8, 3, 1, 1), (8, 3, 64, 64)))
            seen = torch.linspace(0, 0.8, 64) * colour + 0.2 * noise
            self.last.weight *= 4 / self(seen).std()
            self.last.bias -= self(seen).median()

    def forward(self, image):
        found = torch.relu(self.back(torch.relu(self.body(torch.relu(self.one(image))))))
        return self.last(torch.relu(self.up(torch.relu(self.calm(torch.relu(self.loud(found)))))))


def spiky(): torch.manual_seed(0); return Spiky()
'''
LAYERS = 6
BUDGET = 0.02


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with shared_scene(tmp_path_factory) as found:
        nets = found.toy.nets
        nets.write_text(nets.read_text() + SPIKY)
        decode = {"kind": "binary_mask", "output": "output"}
        (found.toy.root / "decode.json").write_text(json.dumps(decode))
        _labelled(found, found.toy.root / "tune")
        yield found


def _labelled(scene: Scene, folder: Path) -> None:
    """Pictures that calibrated nothing, with what fp32 says of them as labels."""
    net = scene.toy.module("spiky")
    for path in sorted(write_pictures(folder / "images", 5, seed=11).iterdir()):
        with torch.inference_mode():
            logits = net(torch.from_numpy(prepare(read_rgb(path), _block(scene))[0]))[0, 0]
        write_png(folder / "masks" / path.name, (logits > 0).numpy().astype(np.uint8) * 255)


def _block(scene: Scene) -> Preprocess:
    return Preprocess.model_validate_json((scene.toy.root / "preprocess.json").read_text())


def ask(scene: Scene, **changes: Any) -> ExportRequest:
    """An automatic mix of the spiky segmenter."""
    given: dict[str, Any] = {
        "decode": scene.toy.root / "decode.json",
        "precisions": ("auto",),
        "budget": (None, BUDGET),
        "tune_data": scene.toy.root / "tune",
        "calibration_count": 8,
        "calibrator": "minmax",
    }
    return scene.request("spiky", **{**given, **changes})


# the plan, without files


@pytest.fixture(scope="module")
def material(scene: Scene) -> Material:
    """What the search works on, at 32 x 32."""
    block = _block(scene).model_copy(update={"width": 32, "height": 32})
    program = torch.export.export(scene.toy.module("spiky"), (torch.zeros(1, 3, 32, 32),))
    samples = open_folder(scene.pictures, "binary_mask")
    arrays = np.concatenate([prepare(samples.sample(i).image, block)[0] for i in range(10)])
    return Material(
        program=program,
        decode=BinaryMaskDecode(output="output"),
        preprocess=block,
        outputs=("output",),
        calibration=arrays[:6],
        hold_out=arrays[6:],
        judged=[samples.sample(index) for index in range(10, 14)],
    )


def test_the_loud_layer_is_ranked_first_and_kept_wide(material: Material, tmp_path: Path) -> None:
    planned = plan_mix(material, (None, BUDGET), 0, 0, tmp_path / "kept.json")
    mix = planned.mix
    assert mix is not None
    assert len(planned.layers) == len(mix.layers) == LAYERS
    costs = [layer.divergence for layer in mix.layers]
    assert costs == sorted(costs, reverse=True)
    assert {layer.layer for layer in mix.layers[:2]} == {"conv2d_3", "conv2d_4"}
    assert [layer.layer for layer in mix.layers if layer.wide] == [op.name for op in planned.wide]
    assert 1 <= len(planned.wide) <= 3
    assert (mix.met, mix.truth, mix.judged_on, mix.budget) == (True, "reference", 4, BUDGET)
    points = {point.wide_layers: point for point in mix.points}
    assert points[0].drop > BUDGET >= points[len(planned.wide)].drop
    assert list(points) == sorted(points)
    sizes = [point.weight_bytes for point in mix.points]
    assert sizes == sorted(sizes)
    assert sizes[0] == sum(layer.weights for layer in mix.layers)
    control = points[len(planned.wide)].random_divergence
    assert control is not None
    assert mix.ranking_helps == (points[len(planned.wide)].divergence < min(control, points[0].divergence))


def test_a_budget_of_nothing_may_keep_every_layer_wide_and_says_whether_it_was_met(
    material: Material, tmp_path: Path
) -> None:
    mix = plan_mix(material, (None, 0.0), 0, 0, tmp_path / "kept.json").mix
    assert mix is not None
    wide = sum(layer.wide for layer in mix.layers)
    point = next(each for each in mix.points if each.wide_layers == wide)
    assert mix.met == (point.drop <= 0)
    assert mix.met or wide == LAYERS
    assert all(each.drop > 0 for each in mix.points if each.wide_layers < wide)


def test_a_wide_budget_keeps_nothing_wide(material: Material, tmp_path: Path) -> None:
    planned = plan_mix(material, ("miou", 0.99), 0, 0, tmp_path / "kept.json")
    assert planned.mix is not None
    assert (planned.wide, planned.mix.met, planned.mix.ranking_helps) == ((), True, None)
    assert [point.wide_layers for point in planned.mix.points] == [0]


def test_a_stopped_ranking_goes_on_where_it_was(material: Material, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    first = plan_mix(material, (None, BUDGET), 0, 0, kept)
    pictures = json.loads(kept.read_text())
    assert len(pictures) == 6
    kept.write_text(json.dumps([dict.fromkeys(pictures[0], 0.0), *pictures[1:3]]))
    again = plan_mix(material, (None, BUDGET), 0, 0, kept)
    resumed = json.loads(kept.read_text())
    assert resumed[3:] == pictures[3:]
    assert set(resumed[0].values()) == {0.0}, "what was known was measured again"
    assert first.mix is not None
    assert again.mix is not None
    assert again.mix.layers[0].divergence < first.mix.layers[0].divergence


def test_training_for_8_bits_is_kept_only_where_it_pays(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from export.quantization import auto

    def worse(simulator: Any, *_: Any) -> dict[str, torch.Tensor]:
        constants = simulator.constants().items()
        return {name: value * -1 for name, value in constants if value.is_floating_point()}

    def same(simulator: Any, *_: Any) -> dict[str, torch.Tensor]:
        return {}

    for replacement in (worse, same):
        with monkeypatch.context() as patch:
            patch.setattr(auto, "finetune", replacement)
            planned = plan_mix(material, None, 5, 0, tmp_path / "kept.json")
        assert (planned.mixed, planned.finetuned_steps, planned.mix) == (None, 0, None)
        assert "thrown away: it does not pay" in " ".join(capsys.readouterr().err.split())
    planned = plan_mix(material, None, 40, 0, tmp_path / "kept.json")
    said = " ".join(capsys.readouterr().err.split())
    assert planned.finetuned_steps == (0 if "thrown away" in said else 40)


# refusals


def test_pictures_that_gave_ranges_cannot_measure_the_budget(scene: Scene, tmp_path: Path) -> None:
    shutil.copytree(scene.toy.root / "tune", tmp_path / "tune")
    for part in ("images", "masks"):
        shutil.copy(scene.pictures / "12.png", tmp_path / "tune" / part / "99.png")
    before = scene.toy.left()
    with pytest.raises(DeployError) as caught:
        build(ask(scene, targets=("onnx",), tune_data=tmp_path / "tune", calibration_count=64))
    assert caught.value.error_id == "CALIBRATION-LEAK"
    assert "1 of the pictures" in caught.value.summary
    assert scene.toy.left() == before


# the files


@pytest.fixture(scope="module")
def files(scene: Scene) -> dict[str, Built]:
    """The mix in both formats."""
    found = by_cell(build(ask(scene, targets=("onnx", "coreml"))))
    return {target: found[target, "auto"] for target in ("onnx", "coreml")}


def test_files_tell_the_mix_and_hold_it(files: dict[str, Built]) -> None:
    for result in files.values():
        artifact = artifact_of(result)
        mix = artifact.mix
        assert mix is not None
        assert (mix.met, mix.truth, mix.judged_on, mix.ranked_on) == (True, "labels", 5, 8)
        wide = [layer.layer for layer in mix.layers if layer.wide]
        assert wide
        told = {op.name: op.reason for op in artifact.proof.wide_ops}
        assert all("alone in 8 bits it diverges by" in told[name] for name in wide)
        assert artifact.parity.status == "PASS"
        assert artifact.calibration is not None
    assert artifact_of(files["onnx"]).mix == artifact_of(files["coreml"]).mix


def wide_of(result: Built) -> dict[str, bool]:
    """Every layer of the mix, and whether it stays wide."""
    mix = artifact_of(result).mix
    assert mix is not None
    return {layer.layer: layer.wide for layer in mix.layers}


def test_wide_layers_are_float_in_the_onnx_file(files: dict[str, Built]) -> None:
    graph = onnx.load(str(model_of(files["onnx"]))).graph
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    seen = {}
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            seen[node.name.removeprefix("node_")] = node.input[1] not in dequantized
    assert {name: seen[name] for name in wide_of(files["onnx"]) if name in seen} == {
        name: wide for name, wide in wide_of(files["onnx"]).items() if name in seen
    }
    assert sum(seen.values()) == sum(wide_of(files["onnx"]).values()) + 1, "and the last, in the float tail"


def test_wide_layers_keep_their_weights_in_the_core_ml_file(files: dict[str, Built]) -> None:
    program = operations(read_spec(model_of(files["coreml"])))
    makers = {op.outputs[0].name: op.type for op in program if op.outputs}
    seen = {}
    for op in program:
        if op.type in ("conv", "conv_transpose"):
            (weight,) = reads_of(op, "weight")
            seen[name_of(op)] = not makers[weight].startswith("constexpr")
    for layer, wide in wide_of(files["coreml"]).items():
        (found,) = {kept for name, kept in seen.items() if name in (layer, f"{layer}_cast_fp16")} or {None}
        assert found in (wide, None), (layer, seen)
    assert sum(seen.values()) == sum(wide_of(files["coreml"]).values()) + 1


@pytest.mark.usefixtures("inline")
def test_verify_refuses_pictures_that_the_mix_was_searched_on(scene: Scene, files: dict[str, Built]) -> None:
    artifact, folder = artifact_of(files["onnx"]), files["onnx"].folder
    assert folder is not None
    tune = scene.toy.root / "tune"
    searched = {pixel_digest(read_rgb(path)) for path in (tune / "images").iterdir()}
    assert searched <= set(artifact.calibration_samples)
    with pytest.raises(DeployError) as caught:
        verify(
            VerifyRequest(
                artifacts=(folder,),
                data=tune,
                reference=None,
                metric=None,
                budget=0.5,
                limit=None,
                replicates=50,
                with_slices=False,
                seed=0,
                threads=1,
            )
        )
    assert caught.value.error_id == "CALIBRATION-LEAK"
