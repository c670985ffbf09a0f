"""What the converters do to a graph before and after the format's own tools had it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from export.formats.coreml_wide import WideOps
from export.formats.executorch_fp16 import fold_norms, half_program
from export.formats.onnx_clean import rename
from export.formats.onnx_fp16 import _part_outputs, to_fp16


class Normed(torch.nn.Module):
    """Convolutions (plain, depthwise, without bias, shared) with norms whose statistics are not trivial."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.Conv2d(8, 8, 3, groups=8)
        self.three, self.norm_three = torch.nn.Conv2d(8, 4, 1), torch.nn.BatchNorm2d(4)
        self.norm_one, self.norm_two = torch.nn.BatchNorm2d(8), torch.nn.BatchNorm2d(8)
        for norm in (self.norm_one, self.norm_two, self.norm_three):
            for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                tensor.uniform_(0.3, 2.0)  # type: ignore[union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm_one(self.one(x)))
        x = self.norm_two(self.two(x))
        shared = self.three(x)
        return self.norm_three(shared) + shared


def norms(module: Any) -> list[str]:
    return [node.name for node in module.graph.nodes if node.target == torch.ops.aten.batch_norm.default]


def test_norms_are_folded_where_nobody_else_reads_the_convolution() -> None:
    sample = torch.randn(1, 3, 12, 12)
    program = torch.export.export(Normed().eval(), (sample,))
    module: Any = program.module()
    with torch.inference_mode():
        before = module(sample)
    all_norms = norms(module)
    fold_norms(module, set())
    assert norms(module) == all_norms[2:]
    with torch.inference_mode():
        np.testing.assert_allclose(module(sample).numpy(), before.numpy(), atol=1e-5)
    wide: Any = program.module()
    fold_norms(wide, {all_norms[0]})
    assert norms(wide) == [all_norms[0], all_norms[2]]


def test_half_programs_compute_in_half_between_fp32_doors() -> None:
    sample = torch.randn(1, 3, 12, 12)
    module = Normed().eval()
    half = half_program(torch.export.export(module, (sample,)), set())
    dtypes = {str(node.meta["val"].dtype) for node in half.graph.nodes if "conv2d" in node.name}
    assert dtypes == {"torch.float16"}
    with torch.inference_mode():
        (found,) = half.module()(sample)  # type: ignore[operator]
        expected = module(sample)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=0.02)


def graph(nodes: list[Any], outputs: list[str], constants: dict[str, float] | None = None) -> onnx.ModelProto:
    """An ONNX model on one float input x (1, 4)."""
    values = {name: np.full((1, 4), value, np.float32) for name, value in (constants or {}).items()}
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto, value: float) -> list[np.ndarray]:
    import onnxruntime

    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [np.asarray(out) for out in session.run(None, {name: np.full((1, 4), value, np.float32)})]


def test_doors_may_be_called_like_values_inside() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["relu"], name="a"),
        helper.make_node("Neg", ["relu"], ["neg"], name="b"),
        helper.make_node("Exp", ["neg"], ["exp"], name="c"),
    ]
    model = graph(nodes, ["exp"])
    rename(model, ["neg"], ["relu"])
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["neg", "relu"]
    np.testing.assert_allclose(run(model, 2.0)[0], np.exp(-2.0), rtol=1e-6)


def test_outputs_may_swap_names_with_values_inside() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    model = graph(nodes, ["a", "b"])
    rename(model, ["x"], ["b", "a"])
    found = dict(zip([value.name for value in model.graph.output], run(model, 3.0), strict=True))
    assert found["b"][0, 0] == 3.0
    assert found["a"][0, 0] == -3.0


def test_an_output_that_is_read_inside_survives_fp16() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="relu"),
        helper.make_node("Mul", ["a", "two"], ["b"], name="mul"),
        helper.make_node("Add", ["a", "b"], ["c"], name="add"),
    ]
    model = graph(nodes, ["a", "b", "c"], {"two": 2.0})
    parted = onnx.ModelProto()
    parted.CopyFrom(model)
    _part_outputs(parted)
    for candidate in (parted, to_fp16(model, [])):
        assert [value.name for value in candidate.graph.output] == ["a", "b", "c"]
        assert [out[0, 0] for out in run(candidate, 1.5)] == [1.5, 3.0, 4.5]


@pytest.mark.parametrize("constant", [20000.0, 65504.0, 6e-8, -30000.0])
def test_constants_keep_their_value_in_fp16(constant: float) -> None:
    """onnxconverter-common clips at 10000 and at 1e-7 unless it is told what fp16 can hold."""
    model = graph(
        [
            helper.make_node("Add", ["k", "zero"], ["y"], name="n"),
            helper.make_node("Mul", ["x", "zero"], ["unused"], name="m"),
        ],
        ["y"],
        {"k": constant, "zero": 0.0},
    )
    found = run(to_fp16(model, []), 1.0)[0][0, 0]
    assert found == pytest.approx(float(np.float16(constant)), rel=1e-3)


def mil(name: str, *read: str) -> Any:
    """An op as coremltools shows it to a selector."""
    makers = [SimpleNamespace(op=SimpleNamespace(name=each)) for each in read]
    inputs = {"x": makers[0], "values": tuple(makers[1:])} if makers else {"x": SimpleNamespace(op=None)}
    return SimpleNamespace(name=name, inputs=inputs)


def test_core_ml_ops_are_told_apart_by_their_nodes() -> None:
    rule = WideOps(["mul", "mul_1", "abs_1", "conv2d", "div"], {"mul", "abs_1"})
    assert not rule.narrow(mil("mul"))
    assert not rule.narrow(mil("mul_cast_fp16"))
    assert not rule.narrow(mil("_inversed_mul"))
    assert rule.narrow(mil("mul_1", "conv2d"))
    assert rule.narrow(mil("mul_1_x", "conv2d"))
    assert not rule.narrow(mil("_inversed_div", "abs_1"))
    assert not rule.narrow(mil("concat", "conv2d", "abs_1"))
    assert rule.narrow(mil("conv2d_weight"))
