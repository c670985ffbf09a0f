"""Every op that coremltools can compute itself (value inference), against our answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil.mil.operation import Operation
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

from tests.export.mil.programs import load, mb

RNG = np.random.default_rng(0)
X = RNG.normal(0, 2, (2, 3, 4)).astype(np.float32)
P = (np.abs(X) + 0.1).astype(np.float32)  # positive
U = RNG.uniform(-0.9, 0.9, (2, 3, 4)).astype(np.float32)
N = RNG.integers(-5, 6, (2, 3, 4)).astype(np.int32)
J = RNG.integers(1, 4, (2, 3, 4)).astype(np.int32)
B = RNG.random((2, 3, 4)) < 0.5
C = RNG.random((2, 3, 4)) < 0.5
S = RNG.permutation(24).reshape(2, 3, 4).astype(np.float32)  # no ties
V = np.array([0.1, 0.2, 0.3], np.float32)


def _f(value: float) -> np.float32:
    return np.float32(value)


UNARY = {name: [{"x": X}] for name in ("atan", "ceil", "cos", "cosh", "erf", "exp", "floor", "relu", "relu6")}
UNARY |= {
    name: [{"x": X}] for name in ("round", "sigmoid", "sin", "sinh", "softplus", "softsign", "tan", "tanh")
}
UNARY |= {name: [{"x": X}, {"x": N}] for name in ("abs", "exp2", "sign", "square")}
UNARY |= {name: [{"x": U}] for name in ("acos", "asin", "atanh")}
UNARY |= {"sqrt": [{"x": P}], "logical_not": [{"x": B}], "identity": [{"x": X}, {"x": N}]}
UNARY |= {"inverse": [{"x": P, "epsilon": _f(0.01)}], "rsqrt": [{"x": P, "epsilon": _f(0.01)}]}
UNARY |= {"log": [{"x": P, "epsilon": _f(0.01)}], "clip": [{"x": X, "alpha": _f(-0.5), "beta": _f(1)}]}
UNARY |= {"threshold": [{"x": X, "alpha": _f(0.3)}]}
UNARY |= {"cast": [{"x": X, "dtype": "int32"}, {"x": N, "dtype": "fp32"}, {"x": N, "dtype": "bool"}]}

ACTIVATION: dict[str, list[dict[str, Any]]] = {
    "clamped_relu": [{"x": X, "alpha": _f(0.3), "beta": _f(1.5)}],
    "elu": [{"x": X, "alpha": _f(0.7)}],
    "gelu": [{"x": X, "mode": m} for m in ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION")],
    "leaky_relu": [{"x": X, "alpha": _f(0.2)}],
    "linear_activation": [{"x": X, "alpha": _f(2), "beta": _f(-1)}],
    "scaled_tanh": [{"x": X, "alpha": _f(1.5), "beta": _f(0.5)}],
    "sigmoid_hard": [{"x": X, "alpha": _f(0.3), "beta": _f(0.4)}],
    "prelu": [{"x": X[None], "alpha": V[:2]}],
    "softplus_parametric": [{"x": X, "alpha": V, "beta": V[::-1].copy()}],
    "softmax": [{"x": X, "axis": axis} for axis in (-1, 0, 1)],
    "thresholded_relu": [{"x": X, "alpha": _f(0.5)}],
}
TWO = ("add", "sub", "mul", "maximum", "minimum", "mod", "floor_div")
COMPARING = ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal")
BINARY = {name: [{"x": X, "y": U}, {"x": N, "y": J}, {"x": X, "y": V[:, None]}] for name in TWO}
BINARY |= {name: [{"x": N, "y": J}, {"x": X, "y": X}] for name in COMPARING}
BINARY |= {name: [{"x": B, "y": C}] for name in ("logical_and", "logical_or", "logical_xor")}
BINARY |= {"real_div": [{"x": X, "y": P}], "pow": [{"x": P, "y": X}, {"x": N, "y": J}]}
BINARY |= {"select": [{"cond": B, "a": X, "b": U}, {"cond": B, "a": N, "b": J}]}

REDUCING = ("l1_norm", "l2_norm", "log_sum_exp", "max", "mean", "min", "prod", "sum", "sum_square")
REDUCTION = {
    f"reduce_{name}": [
        {"x": P, "axes": axes, "keep_dims": keep}
        for axes, keep in (([0], False), ([-1, 1], True), (None, False))
    ]
    + ([{"x": J, "axes": [2], "keep_dims": False}] if name not in ("log_sum_exp", "l2_norm") else [])
    for name in (*REDUCING, "log_sum")
}
REDUCTION |= {
    f"reduce_{name}": [{"x": S, "axis": 1, "keep_dims": keep} for keep in (True, False)]
    for name in ("argmax", "argmin")
}

SHAPING: dict[str, list[dict[str, Any]]] = {
    "concat": [{"values": [X, U], "axis": 1}],
    "cumsum": [{"x": X, "axis": 1}, {"x": N, "axis": -1, "reverse": True}],
    "expand_dims": [{"x": X, "axes": [0, -1]}],
    "fill": [{"shape": [2, 3], "value": _f(1.5)}],
    "fill_like": [{"ref_tensor": X, "value": _f(2)}],
    "flatten2d": [{"x": X, "axis": axis} for axis in (1, 2, -1)],
    "gather": [
        {"x": X, "indices": np.array([[2, 0], [1, 1]], np.int32), "axis": 1},
        {"x": X, "indices": np.array([[2, 0], [1, 1]], np.int32), "axis": 2, "batch_dims": 1},
        {"x": X, "indices": np.int32(1), "axis": 0},
    ],
    "gather_along_axis": [{"x": X, "indices": np.array(J % 3, np.int32), "axis": 1}],
    "band_part": [{"x": X, "lower": low, "upper": up} for low, up in ((0, -1), (-1, 0), (1, 1))],
    "non_zero": [{"x": np.array(B, np.float32)}],
    "pad": [{"x": X, "pad": [0, 0, 1, 2, 2, 1], "mode": m} for m in ("constant", "reflect", "replicate")]
    + [{"x": X, "pad": [1, 2], "mode": "constant", "constant_val": _f(3)}],
    "range_1d": [{"start": 2, "end": 11, "step": 3}, {"start": _f(0), "end": _f(1), "step": _f(0.25)}],
    "reshape": [{"x": X, "shape": [4, -1]}, {"x": X, "shape": [0, -1, 2]}],
    "reverse": [{"x": X, "axes": [0, 2]}, {"x": X}],
    "scatter_along_axis": [
        {
            "data": X,
            "indices": np.argsort(S, axis=1).astype(np.int32)[:, :2],
            "updates": U[:, :2],
            "axis": 1,
            "mode": "update",
        }
    ],
    "shape": [{"x": X}],
    "slice_by_index": [
        {"x": X, "begin": [0, 1, 3], "end": [2, 3, 0], "stride": [1, 1, -2]},
        {"x": X, "begin": [1, 0, -2], "end": [0, 0, 0], "squeeze_mask": [True, False, False]}
        | {"begin_mask": [False, True, False], "end_mask": [False, True, True]},
    ],
    "slice_by_size": [{"x": X, "begin": [0, -2, 1], "size": [2, 1, -1]}],
    "slice_update": [
        {"x": X, "update": U[:, :2], "begin": [0, 0, 0], "end": [2, 2, 4]},
        {"x": X, "update": U[:, :, :2], "begin": [0, 0, 3], "end": [2, 3, 0], "stride": [1, 1, -2]},
    ],
    "split": [{"x": X, "axis": 2, "num_splits": 2}, {"x": X, "axis": 1, "split_sizes": [1, 2]}],
    "squeeze": [{"x": X[:1], "axes": [0]}, {"x": X[:1, :1]}],
    "stack": [{"values": [X, U], "axis": axis} for axis in (0, -1)],
    "tile": [{"x": X, "reps": [1, 2, 3]}],
    "transpose": [{"x": X, "perm": [2, 0, 1]}, {"x": X, "perm": [-1, 0, 1]}],
    "argsort": [{"x": S, "axis": 1, "ascending": up} for up in (True, False)],
    "topk": [{"x": S, "k": 2, "axis": -1, "ascending": up} for up in (True, False)],
}
PRODUCTS: dict[str, list[dict[str, Any]]] = {
    "einsum": [
        {"values": [X[None].transpose(0, 2, 1, 3), U.transpose(2, 0, 1)[None]], "equation": "nchw,nwhu->nchu"}
    ],
    "l2_norm": [{"x": X, "epsilon": _f(1e-3)}, {"x": X[None], "epsilon": _f(1e-3)}],
    "layer_norm": [
        {"x": X, "axes": [-1], "gamma": X[0, 0], "beta": U[0, 0], "epsilon": _f(1e-3)},
        {"x": X, "axes": [1], "gamma": V, "epsilon": _f(1e-3)},
    ],
    "linear": [{"x": X, "weight": U.reshape(6, 4), "bias": U.reshape(-1)[:6].copy()}],
    "matmul": [{"x": X, "y": U, "transpose_y": True}, {"x": X, "y": U, "transpose_x": True}],
    "scaled_dot_product_attention": [
        {"query": X, "key": U, "value": P},
        {"query": X, "key": U, "value": P, "attn_mask": np.array([[True, False, True]] * 3)},
    ],
    "quantize": [
        {"input": X, "scale": _f(0.1), "zero_point": np.int8(3), "output_dtype": "int8"},
        {"input": X, "scale": V, "axis": 1, "output_dtype": "uint8"},
    ],
}
CASES: dict[str, list[dict[str, Any]]] = {**UNARY, **ACTIVATION, **BINARY, **REDUCTION, **SHAPING, **PRODUCTS}
ELSEWHERE = {
    "cond": "test_flow.py",
    "const": "no op of its own",
    "_const_symbolic": "never written to a file",
    "dequantize": "inferred only on request; test_against_torch.py",
    "list_length": "test_flow.py",
    "reverse_sequence": "coremltools' inference is empty; test_against_torch.py",
    "silu": "test_against_torch.py",
}
NEEDS_IOS18 = {"slice_update", "scaled_dot_product_attention"}


def _infers(name: str) -> bool:
    versions = SSAOpRegistry.core_ops[name].values()
    return any(version.value_inference is not Operation.value_inference for version in versions)


def test_no_op_is_forgotten() -> None:
    able = {name for name in SSAOpRegistry.core_ops if _infers(name)}
    assert able - set(CASES) - set(ELSEWHERE) == set()


@pytest.mark.parametrize("name", sorted(CASES))
def test_agrees_with_coremltools(name: str) -> None:
    ios = 18 if name in NEEDS_IOS18 else 17
    wanted: list[Any] = []

    def build() -> Any:
        found: list[Any] = []
        for case in CASES[name]:
            outputs = getattr(mb, name)(**{key: value for key, value in case.items() if value is not None})
            found += outputs if isinstance(outputs, (tuple, list)) else [outputs]
        wanted.extend(np.array(each.val) for each in found)
        return tuple(found)

    answers = list(load(build, {}, ios, mode="exact32").predict({}).values())
    assert len(answers) == len(wanted) > 0
    for answer, want in zip(answers, wanted, strict=True):
        assert want.dtype != object, "coremltools inferred nothing"
        assert answer.shape == want.shape
        np.testing.assert_allclose(answer, want, rtol=2e-5, atol=2e-6)
