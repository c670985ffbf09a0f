"""Files that were exported elsewhere: matched by their doors, judged like our own, or refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from deploy import cli, console
from deploy.contracts.accuracy import AccuracyRow
from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from deploy.vision.images import write_png
from export.evaluation.subject import Doors
from export.foreign.adopt import precision_of
from export.foreign.match import match_input
from export.foreign.protocol import Found
from export.verify import verify
from tests.device_bench.bright import PREPROCESS, SIZE, build_artifact, picture
from tests.export.test_verify import ask, refused
from tests.export.toys import Toy
from tests.oracles.real import needs

SAMPLES = 8
pytestmark = pytest.mark.usefixtures("inline")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return build_artifact(tmp_path / "artifacts" / "bright-reference", role="reference", clip=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for index in range(SAMPLES):
        image, mask = picture(index)
        write_png(root / "images" / f"{index}.png", image)
        write_png(root / "masks" / f"{index}.png", mask.astype(np.uint8) * 255)
    return root


def theirs(
    path: Path,
    *,
    bias: float = -10.0,
    layout: str = "first",
    dtype: int = TensorProto.FLOAT,
    outputs: int = 1,
) -> Path:
    """The bright model as somebody else would write it: other names, maybe NHWC, uint8 or fp16 doors."""
    kind = np.float16 if dtype == TensorProto.FLOAT16 else np.float32
    weights = {"w": np.full((1, 3, 1, 1), 20 / 3, kind), "b": np.array([bias], kind)}
    weights["scale"] = np.array(255, np.float32)
    nodes, value = [], "pixels"
    if dtype == TensorProto.UINT8:
        nodes += [
            helper.make_node("Cast", [value], ["f"], to=1),
            helper.make_node("Div", ["f", "scale"], ["g"]),
        ]
        value = "g"
    if layout == "last":
        nodes.append(helper.make_node("Transpose", [value], ["t"], perm=[0, 3, 1, 2]))
        value = "t"
    nodes.append(helper.make_node("Conv", [value, "w", "b"], ["plane"]))
    made = [f"plane{number or ''}" for number in range(outputs)]
    nodes += [helper.make_node("Identity", ["plane"], [name]) for name in made[1:]]
    shape = [1, 3, SIZE, SIZE] if layout == "first" else [1, SIZE, SIZE, 3]
    out = TensorProto.FLOAT16 if dtype == TensorProto.FLOAT16 else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info(name, out, [1, 1, SIZE, SIZE]) for name in made],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def judged(path: Path, reference: Path, data: Path, **changes: Any) -> AccuracyRow:
    (report,) = verify(ask(path, data=data, reference=reference, **changes))
    (row,) = report.rows
    return row


# judged


@pytest.mark.parametrize(
    ("layout", "dtype", "precision"),
    [
        ("first", TensorProto.FLOAT, "fp32"),
        ("last", TensorProto.UINT8, "fp32"),
        ("first", TensorProto.FLOAT16, "fp16"),
    ],
)
def test_other_names_and_other_doors_say_the_same(
    layout: str, dtype: int, precision: str, reference: Path, data: Path, tmp_path: Path
) -> None:
    path = theirs(tmp_path / "theirs.onnx", layout=layout, dtype=dtype)
    row = judged(path, reference, data)
    assert (row.status, row.verdict.outcome, row.precision) == ("MEASURED", "PASS", precision)
    assert row.taints == ("FOREIGN",)
    assert row.label == f"FOREIGN theirs onnx {precision}"
    assert row.agreement is not None
    assert row.agreement > 0.99


def test_a_worse_foreign_file_fails_beside_our_own(reference: Path, data: Path, tmp_path: Path) -> None:
    from deploy.store import sha256_file

    digest = sha256_file(reference / "model.onnx")
    own = build_artifact(tmp_path / "artifacts" / "bright-exact", reference_sha256=digest, clip=False)
    path = theirs(tmp_path / "theirs.onnx", bias=-17.0)
    (report,) = verify(ask(own, path, data=data, reference=reference))
    assert [(row.taints, row.verdict.outcome) for row in report.rows] == [
        ((), "PASS"),
        (("FOREIGN",), "FAIL"),
    ]


def test_a_decode_block_names_the_files_own_output(reference: Path, data: Path, tmp_path: Path) -> None:
    path = theirs(tmp_path / "theirs.onnx", outputs=2)
    error = refused(ask(path, data=data, reference=reference))
    assert (error.error_id, error.exit_code) == ("DOORS-DIFFER", 5)
    assert "plane 1x1x32x32, plane1 1x1x32x32; the reference logits 1x1x32x32" in error.summary
    assert "--decode" in error.remedy
    block = tmp_path / "decode.json"
    block.write_text('{"kind": "binary_mask", "output": "plane1"}')
    assert judged(path, reference, data, decode=block).verdict.outcome == "PASS"
    block.write_text('{"kind": "binary_mask", "output": "plane7"}')
    assert refused(ask(path, data=data, reference=reference, decode=block)).error_id == "DOORS-DIFFER"
    block.write_text('{"kind": "classify", "output": "plane"}')
    assert "classify" in refused(ask(path, data=data, reference=reference, decode=block)).summary


def test_a_preprocess_block_is_the_files_own(reference: Path, data: Path, tmp_path: Path) -> None:
    path = theirs(tmp_path / "theirs.onnx")
    block = tmp_path / "preprocess.json"
    wrong = PREPROCESS.model_copy(update={"input_name": "pixels", "divisor": 1.0})
    block.write_text(json.dumps(wrong.to_json()))
    assert judged(path, reference, data, preprocess=block).verdict.outcome == "FAIL"
    block.write_text(json.dumps(PREPROCESS.to_json()))
    error = refused(ask(path, data=data, reference=reference, preprocess=block))
    assert "pixels 1x3x32x32; the reference image 1x3x32x32" in error.summary


def test_taints_stand_in_front_of_the_name_in_every_report(
    reference: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = Console(highlight=False, width=200)  # the console's width is settled where it was first used
    monkeypatch.setattr(console, "_out", lambda: wide)
    path = theirs(tmp_path / "theirs.onnx")
    out = tmp_path / "results"
    asked = ["verify", str(path), "--reference", str(reference), "--data", str(data), "--out", str(out)]
    assert cli.run([*asked, "--replicates", "100"]) == 0
    shown = capsys.readouterr().out
    assert "FOREIGN onnx" in shown
    assert "FOREIGN onnx fp32: PASS" in shown
    (folder,) = out.iterdir()
    assert cli.run(["report", str(folder), "--html", str(tmp_path / "report.html")]) == 0
    assert "FOREIGN theirs" in " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "report.html").read_text()
    assert '<th scope="row"><span class="taint">FOREIGN</span> theirs<small>' in page


# refused


def test_what_cannot_be_compared(reference: Path, data: Path, tmp_path: Path) -> None:
    path = theirs(tmp_path / "theirs.onnx")
    assert refused(ask(path, data=data)).error_id == "REFERENCE-NEEDED"
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    error = refused(ask(tmp_path / "broken.onnx", data=data, reference=reference))
    assert error.error_id == "FOREIGN-UNREADABLE"
    assert "broken.onnx" in error.summary
    (tmp_path / "model.tflite").write_bytes(b"")
    assert refused(ask(tmp_path / "model.tflite", data=data)).error_id == "NOT-AN-ARTIFACT"
    export = build_artifact(tmp_path / "export", clip=False)
    assert "is an export" in refused(ask(path, data=data, reference=export)).summary


def test_doors_are_matched_by_shape_only_where_one_can_be_meant() -> None:
    def found(*shapes: tuple[int, ...]) -> Found:
        return Found(tuple(TensorSpec(name=f"i{n}", shape=s) for n, s in enumerate(shapes)), ())

    block = Preprocess(input_name="image", width=8, height=4)
    spec, doors = match_input(found((1, 4, 8, 3)), block, "f", named=False)
    assert (spec.input_name, doors) == ("i0", Doors(channels_last=True))
    assert match_input(found((-1, 3, -1, -1)), block, "f", named=False)[1] == Doors()
    for bad in (found(), found((1, 3, 8, 4)), found((1, 3, 4, 8), (1, 3, 4, 8)), found((1, 3, 4, 8), (1,))):
        with pytest.raises(DeployError, match="DOORS-DIFFER"):
            match_input(bad, block, "f", named=False)


@pytest.mark.parametrize(
    ("weights", "ops", "label"),
    [
        ({"float32": 10, "float16": 90}, {}, "fp16"),
        ({"int8": 90, "float32": 10}, {"float32": 3}, "w8"),
        ({"int8": 90, "float32": 10}, {"uint8": 3}, "w8a8"),
        ({"int64": 5}, {}, "unknown"),
        ({}, {"float32": 3}, "fp32"),
    ],
)
def test_the_label_is_what_is_inside(weights: dict[str, int], ops: dict[str, int], label: str) -> None:
    assert precision_of(PrecisionProof(weight_bytes=weights, ops=ops, total_ops=3)) == label


# other exporters


@pytest.mark.slow
def test_torchs_own_exporter_and_a_model_as_reference(
    toy: Toy, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.onnx with names of its own, against an artifact's reference."""
    import torch

    from export.build import build

    build(toy.request(targets=(), sample_count=1))
    path = tmp_path / "theirs.onnx"
    exported = torch.onnx.export(
        toy.module(), (torch.zeros(1, 3, 64, 64),), dynamo=True, input_names=["x"], output_names=["y"]
    )
    assert exported is not None
    exported.save(path)
    row = judged(path, toy.root / "artifacts" / "toy-reference", data / "images")
    assert (row.verdict.outcome, row.taints) == ("PASS", ("FOREIGN",))


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(900)
def test_ultralytics_own_files_against_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = Path(shutil.copy(needs("yolov8n_seg") / "yolov8n-seg.pt", tmp_path))
    code = f"from ultralytics import YOLO; YOLO({str(weights)!r}).export(format='onnx', imgsz=640)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
    arguments = ["--reference", str(weights), "--data", str(needs("coco128_seg")), "--limit", "16"]
    arguments += ["--out", str(tmp_path / "results"), "--no-slices", "--json"]
    assert cli.run(["verify", str(tmp_path / "yolov8n-seg.onnx"), *arguments]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    (row,) = report["rows"]
    assert row["taints"] == ["FOREIGN"]
    assert row["agreement"] > 0.999
    foreign = str(needs("yolox_nano") / "yolox_nano.onnx")
    assert cli.run(["verify", foreign, *arguments]) == 5
    error = json.loads(capsys.readouterr().out)
    assert error["error"] == "DOORS-DIFFER"
    assert "images 1x3x416x416; the reference image 1x3x640x640" in error["summary"]
    assert cli.run(["verify", foreign, *arguments[2:]]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "REFERENCE-NEEDED"
