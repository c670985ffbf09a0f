"""Parity, precision proof and overflow: what lets a file be saved, and what stops it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.contracts.artifact import PrecisionProof, WideOp
from deploy.errors import DeployError
from export.formats.onnx_proof import prove_onnx
from export.overflow import FP16_MAX, largest_values, overflowing, wide_nodes
from export.parity import (
    AGREEMENT,
    CAP_DB,
    TOLERANCE_DB,
    judge_hop,
    judge_parity,
    sqnr_db,
    unknown_hop,
)
from export.precision_proof import demand_label, share_of_label
from tests.device_bench.bright import save_model

ONES = np.ones(100, np.float32)


# signal to noise


@pytest.mark.parametrize(("relative", "decibels"), [(1.0, 0.0), (0.1, 20.0), (1e-3, 60.0), (10.0, -20.0)])
def test_known_ratios(relative: float, decibels: float) -> None:
    assert sqnr_db(ONES.astype(np.float64), ONES * (1 - relative)) == pytest.approx(decibels, abs=1e-3)


@given(st.integers(0, 1000), st.floats(-6, 3))
def test_it_is_the_formula(seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=50)
    other = signal + rng.normal(size=50) * 10**exponent
    expected = 10 * math.log10((signal**2).sum() / ((signal - other) ** 2).sum())
    assert sqnr_db(signal, other) == pytest.approx(expected)


def test_the_cap_and_the_floor() -> None:
    assert sqnr_db(ONES, ONES) == CAP_DB
    assert sqnr_db(ONES * 0, ONES * 0) == CAP_DB
    assert sqnr_db(ONES * 0, ONES) == -CAP_DB
    assert sqnr_db(ONES.reshape(4, 25), ONES) == -CAP_DB
    for bad in (np.nan, np.inf, -np.inf):
        assert sqnr_db(ONES, np.where(np.arange(100) == 7, np.float32(bad), ONES)) == -CAP_DB
        assert sqnr_db(np.full(3, bad), np.full(3, bad)) == -CAP_DB
    assert sqnr_db(ONES * np.float32(1e-38), ONES * np.float32(3e38)) == -CAP_DB
    assert sqnr_db(np.arange(5), np.arange(5)) == CAP_DB


def test_a_hop_is_as_good_as_its_worst_output_on_its_worst_sample() -> None:
    good, bad = {"a": ONES, "b": ONES}, {"a": ONES, "b": ONES * 0.9}
    hop = judge_hop("x", [good, good], [good, bad], "fp16")
    assert hop.status == "FAIL"
    assert hop.sqnr_db == pytest.approx(20.0, abs=0.01)
    assert hop.max_abs == pytest.approx(0.1, abs=1e-6)
    assert "output b" in str(hop.reason)
    assert judge_hop("x", [good], [good], "fp32").status == "PASS"
    overflown = judge_hop("x", [good], [{"a": ONES, "b": ONES * np.inf}], "fp16")
    assert overflown.status == "FAIL"
    assert overflown.max_abs is not None
    assert math.isfinite(overflown.max_abs)


class _Agree:
    def __init__(self, value: float) -> None:
        self.value = value

    def agreement(self, *_: Any) -> float:
        return self.value


def test_parity_blames_the_first_hop_that_fails() -> None:
    good = judge_hop("one", [{"x": ONES}], [{"x": ONES}], "fp16")
    first = judge_hop("two", [{"x": ONES}], [{"x": ONES * 0}], "fp16")
    second = judge_hop("three", [{"x": ONES}], [{"x": ONES * 0}], "fp16")
    found = judge_parity([good, first, second], "fp16", "tensors", [], _Agree(1), 4)
    assert found.status == "FAIL"
    assert str(found.reason).startswith("two: ")


def test_parity_is_unknown_with_its_reason_never_pass() -> None:
    good = judge_hop("one", [{"x": ONES}], [{"x": ONES}], "fp16")
    found = judge_parity([good, unknown_hop("two", "no Mac here")], "fp16", "yolo", [], _Agree(1), 4)
    assert (found.status, found.reason, found.agreement) == ("UNKNOWN", "no Mac here", None)


@pytest.mark.parametrize("precision", list(TOLERANCE_DB))
@pytest.mark.parametrize("kind", ["binary_mask", "classify", "yolo", "tensors"])
def test_task_level_agreement_gates_too(precision: str, kind: str) -> None:
    good = judge_hop("one", [{"x": ONES}], [{"x": ONES}], precision)
    needed = AGREEMENT[precision][kind]
    just = judge_parity([good], precision, kind, [(0, 0)], _Agree(needed), 1)
    below = judge_parity([good], precision, kind, [(0, 0)], _Agree(needed - 0.001), 1)
    assert (just.status, below.status) == ("PASS", "FAIL")
    assert "predictions agree" in str(below.reason)


# precision


def proof(wide: int = 0, **weights: int) -> PrecisionProof:
    ops = tuple(WideOp(name=f"op{index}", reason="overflows") for index in range(wide))
    return PrecisionProof(weight_bytes=weights, ops={"float32": 1}, total_ops=1, wide_ops=ops)


def test_an_fp32_file_labelled_fp16_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "m.onnx")
    found = prove_onnx(tmp_path / "m.onnx")
    assert found.weight_bytes == {"float32": 16}
    demand_label(found, "fp32", "onnx")
    with pytest.raises(DeployError) as caught:
        demand_label(found, "fp16", "onnx")
    assert caught.value.error_id == "PRECISION-MISMATCH"
    assert "0%" in caught.value.summary
    assert "16 bytes float32" in caught.value.summary


@pytest.mark.parametrize(
    ("found", "accepted"),
    [
        (proof(float16=90, float32=10), True),
        (proof(float16=89, float32=11), False),
        (proof(wide=1, float16=50, float32=50), True),
        (proof(wide=1, float16=49, float32=51), False),
        (proof(float16=50, int8=50), False),
        (proof(float16=90, int64=900), True),
        (PrecisionProof(weight_bytes={}, ops={"float16": 9}, total_ops=9), True),
        (PrecisionProof(weight_bytes={}, ops={"float32": 9}, total_ops=9), False),
        (PrecisionProof(weight_bytes={}, ops={}, total_ops=0), True),
    ],
)
def test_nine_tenths_of_the_weights_must_be_what_the_label_says(
    found: PrecisionProof, accepted: bool
) -> None:
    if accepted:
        demand_label(found, "fp16", "x")
        assert share_of_label(found, "fp16") is None or share_of_label(found, "fp16") >= 0.5  # type: ignore[operator]
    else:
        with pytest.raises(DeployError, match="PRECISION-MISMATCH"):
            demand_label(found, "fp16", "x")


# overflow


def test_ops_beyond_fp16_and_their_readers_are_named() -> None:
    import torch

    class Loud(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            quiet = x + 1
            loud = quiet * 1e5
            return torch.relu(loud) / 1e5 + quiet

    sample = (torch.full((1, 4), 3.0),)
    module = torch.export.export(Loud(), sample).module()
    over = overflowing(module, [sample])  # type: ignore[arg-type]
    found = {op.name: op.reason for op in wide_nodes(module, over)}  # type: ignore[arg-type]
    assert list(found) == ["mul", "relu", "div"]
    assert "4e+05" in found["mul"]
    assert f"{FP16_MAX:.0f}" in found["mul"]
    assert found["div"].startswith("reads ")
    assert largest_values(module, [sample])["mul"] == 4e5  # type: ignore[arg-type]
    assert overflowing(module, [(torch.zeros(1, 4) - 1,)]) == {}  # type: ignore[arg-type]
