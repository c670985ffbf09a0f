"""Lint: each check on a small net that has the trouble, and on one that has not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from deploy import cli
from deploy.errors import DeployError
from export.formats.coreml_package import read_spec, spec_file
from export.lint import (
    CHECKS,
    coreml_coverage,
    dynamic_shapes,
    half_range,
    mixed_ranges,
    nms,
    onnx_coverage,
    systems,
    wide_program,
    xnnpack_coverage,
)
from export.lint.finding import Finding
from export.lint.flow import Linted, run_checks
from export.lint.subject import LintSubject
from export.targets import TARGETS
from tests.device_bench.bright import SIZE, build_artifact, save_model
from tests.export.toys import Toy, export
from tests.oracles.real import needs

SHAPE = (1, 3, 8, 8)


class Net(nn.Module):
    """Whatever a test wants between a convolution and the output."""

    def __init__(self, body: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.body = body

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.body(self.stem(image))


def subject(body: Callable[[torch.Tensor], torch.Tensor], **changes: Any) -> LintSubject:
    torch.manual_seed(0)
    sample = torch.rand(SHAPE)
    program = torch.export.export(Net(body).eval(), (sample,))
    return LintSubject(program, [(sample,)], **{"targets": tuple(TARGETS), **changes})


def harmless(value: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.relu(value), torch.sigmoid(value)], 1)


def ids(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.id, each.severity) for each in findings]


# values


def test_boxes_beside_scores() -> None:
    found = mixed_ranges.check(subject(lambda x: torch.cat([x.sigmoid() * 640, x.sigmoid()], 1)))
    assert ids(found) == [("MIXED-RANGES", "error")]
    assert found[0].where == "cat"
    assert "is rounded to zero" in found[0].why
    assert "sigmoid_1" in found[0].why
    assert found[0].module is None
    assert ids(mixed_ranges.check(subject(lambda x: torch.cat([x.sigmoid() * 40, x.sigmoid()], 1)))) == [
        ("MIXED-RANGES", "warning")
    ]
    assert mixed_ranges.check(subject(harmless)) == []


def test_values_beyond_fp16() -> None:
    found = half_range.check(subject(lambda x: torch.relu(x.abs() * 1e6) / 1e6))
    assert {each.id for each in found} == {"FP16-OVERFLOW"}
    assert [each.where for each in found] == ["mul", "relu"]
    assert "65504" in found[0].why
    assert half_range.check(subject(harmless)) == []


def test_values_that_vanish_in_fp16() -> None:
    assert ids(half_range.check(subject(lambda x: x * 1e-9))) == [("FP16-UNDERFLOW", "warning")]
    found = half_range.check(subject(lambda x: torch.sigmoid(x - 30)))
    assert ids(found) == [("FP16-UNDERFLOW", "note")]


# graphs


def test_suppression_in_the_graph(tmp_path: Path) -> None:
    import torchvision

    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.1]])

    def suppress(x: torch.Tensor) -> torch.Tensor:
        return torchvision.ops.nms(boxes + x.mean(), torch.ones(2), 0.5)

    assert ids(nms.check(subject(suppress))) == [("NMS-IN-GRAPH", "warning")]
    assert nms.check(subject(harmless)) == []
    path = tmp_path / "nms.onnx"
    doors = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("b", [1, 9, 4]), ("s", [1, 1, 9]))
    ]
    out = [helper.make_tensor_value_info("k", TensorProto.INT64, [None, 3])]
    node = helper.make_node("NonMaxSuppression", ["b", "s"], ["k"], name="suppress")
    onnx.save(helper.make_model(helper.make_graph([node], "g", doors, out)), path)
    found = nms.check(LintSubject(None, (), ("onnx",), file=path, target="onnx"))
    assert [each.where for each in found] == ["suppress"]


def test_open_shapes(tmp_path: Path) -> None:
    dims = ({2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},)
    program = torch.export.export(Net(torch.relu).eval(), (torch.rand(SHAPE),), dynamic_shapes=dims)
    found = dynamic_shapes.check(LintSubject(program, (), ("onnx",)))
    assert ids(found) == [("DYNAMIC-INPUT", "warning")]
    assert dynamic_shapes.check(subject(harmless)) == []
    found = dynamic_shapes.check(subject(lambda x: x[x > 0]))
    assert ("DATA-DEPENDENT-SHAPE", "error") in ids(found)
    save_model(tmp_path / "fixed.onnx")
    model = onnx.load(tmp_path / "fixed.onnx")
    fixed = LintSubject(None, (), ("onnx",), file=tmp_path / "fixed.onnx", target="onnx")
    assert dynamic_shapes.check(fixed) == []
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, tmp_path / "open.onnx")
    opened = LintSubject(None, (), ("onnx",), file=tmp_path / "open.onnx", target="onnx")
    (found_,) = dynamic_shapes.check(opened)
    assert f"?x3x{SIZE}x{SIZE}" in found_.why


def test_fused_attention_needs_ios18() -> None:
    def attend(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x)

    assert ids(systems.check(subject(attend))) == [("ATTENTION-UNFUSED", "note")]
    assert systems.check(subject(attend, system="iOS18")) == []
    assert systems.check(subject(attend, targets=("onnx",))) == []
    assert systems.check(subject(harmless)) == []


def test_an_onnx_file_that_its_opset_does_not_allow(tmp_path: Path) -> None:
    save_model(tmp_path / "good.onnx")
    model = onnx.load(tmp_path / "good.onnx")
    model.graph.node.append(helper.make_node("Gelu", ["logits"], ["more"]))
    onnx.save(model, tmp_path / "bad.onnx")
    for name, expected in (("good", []), ("bad", [("OPSET-MISMATCH", "error")])):
        made = LintSubject(None, (), ("onnx",), file=tmp_path / f"{name}.onnx", target="onnx")
        assert ids(systems.check(made)) == expected


def test_how_accelerators_would_cut_an_onnx_graph(tmp_path: Path) -> None:
    save_model(tmp_path / "one.onnx")
    whole = LintSubject(None, (), ("onnx",), file=tmp_path / "one.onnx", target="onnx")
    assert onnx_coverage.check(whole) == []
    model = onnx.load(tmp_path / "one.onnx")
    model.graph.node.append(helper.make_node("Det", ["logits"], ["det"]))
    onnx.save(model, tmp_path / "det.onnx")
    cut = LintSubject(None, (), ("onnx",), file=tmp_path / "det.onnx", target="onnx")
    found = onnx_coverage.check(cut)
    assert {each.id for each in found} == {"ONNX-PARTITIONS"}
    assert all("Det" in each.why for each in found)
    assert onnx_coverage.check(LintSubject(None, (), ("coreml",))) == []


@pytest.mark.slow
def test_ops_that_coremltools_lacks() -> None:
    found = coreml_coverage.check(subject(lambda x: torch.special.bessel_j0(x.chunk(2, 1)[0])))
    assert ids(found) == [("COREML-NO-CONVERTER", "error")]
    assert "bessel_j0" in found[0].why
    assert coreml_coverage.check(subject(harmless)) == []
    assert coreml_coverage.check(subject(torch.special.bessel_j0, targets=("onnx",))) == []


@pytest.mark.slow
def test_ops_that_xnnpack_leaves_outside() -> None:
    found = xnnpack_coverage.check(subject(lambda x: torch.relu(torch.cumsum(x, 1)) + 1))
    assert ids(found) == [("XNNPACK-PARTITIONS", "note")]
    assert "cumsum" in found[0].why
    assert xnnpack_coverage.check(subject(lambda x: torch.relu(x))) == []


@pytest.mark.slow
def test_packages_against_system_and_neural_engine(toy: Toy) -> None:
    built = export(toy.request(targets=("coreml",), precisions=("fp32", "fp16"), sample_count=1))
    found = {}
    for precision in ("fp32", "fp16"):
        folder = built["coreml", precision].folder
        assert folder is not None
        package = folder / "model.mlpackage"
        made = LintSubject(None, (), ("coreml",), file=package, target="coreml")
        found[precision] = ids(wide_program.check(made))
        assert systems.check(made) == []
        made = LintSubject(None, (), ("coreml",), system="iOS16", file=package, target="coreml")
        assert ids(systems.check(made)) == [("SYSTEM-TOO-NEW", "error")]
        spec = read_spec(package)
        spec.specificationVersion = 7
        spec_file(package).write_bytes(spec.SerializeToString())
        assert systems.check(made) == []
    assert found == {"fp32": [("FP32-BARS-ANE", "warning")], "fp16": []}


# the whole


def test_a_check_that_breaks_is_said_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Any) -> list[Finding]:
        raise RuntimeError("no such kernel\nmore")

    def refuses(_: Any) -> list[Finding]:
        raise DeployError("SOME-ID", "It is so.", "Do this.")

    told: list[Any] = []
    monkeypatch.setattr(CHECKS, "lines", {name: CHECKS.lines[name] for name in ("nms", "mixed ranges")})
    monkeypatch.setattr(nms, "check", breaks)
    run_checks(subject(lambda x: torch.cat([x.sigmoid() * 640, x.sigmoid()], 1)), told.append)
    assert told[0] == ("nms", [], "RuntimeError: no such kernel")
    assert ids(told[1][1]) == [("MIXED-RANGES", "error")]
    monkeypatch.setattr(nms, "check", refuses)
    with pytest.raises(DeployError, match="SOME-ID"):
        run_checks(subject(harmless), told.append)


def test_only_errors_fail() -> None:
    def linted(*severities: Any) -> Linted:
        return Linted("x", tuple(Finding("A", each, "w", "y", "f") for each in severities), {})

    assert linted().exit_code == 0
    assert linted("warning", "note").exit_code == 0
    assert linted("note", "error").exit_code == 3


@pytest.mark.usefixtures("inline")
def test_the_command_on_files_and_on_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = build_artifact(tmp_path / "bright", clip=False)
    assert cli.run(["lint", str(artifact), "--json"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["findings"] == []
    assert payload["skipped"] == {}
    assert cli.run(["lint", str(tmp_path / "absent.pt"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "CHECKPOINT-MISSING"


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(900)
def test_yolo_mixes_boxes_and_scores(capsys: pytest.CaptureFixture[str]) -> None:
    weights = needs("yolov8n_seg") / "yolov8n-seg.pt"
    pictures = needs("coco128_seg") / "images"
    arguments = ["--samples", str(pictures), "--sample-count", "2", "--json"]
    assert cli.run(["lint", str(weights), *arguments]) == 3
    payload = json.loads(capsys.readouterr().out)
    assert payload["skipped"] == {}
    mixed = [each for each in payload["findings"] if each["id"] == "MIXED-RANGES"]
    assert any("sigmoid" in each["why"] and "rounded to zero" in each["why"] for each in mixed)
    assert all(each["module"] == "model.22" for each in mixed)
    assert {each["severity"] for each in payload["findings"]} == {"error", "note"}
    assert {each["id"] for each in payload["findings"]} == {
        "MIXED-RANGES",
        "ONNX-PARTITIONS",
        "XNNPACK-PARTITIONS",
    }
