"""Modes, noise, and what fp16 cannot hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from export.mil.numerics import Numerics, count_limits, round16, to_integer
from tests.export.mil.programs import load, mb

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(0, 1, (8, 4)).astype(np.float16)
X = RNG.normal(0, 1, (3, 4)).astype(np.float16)


def _net(x: Any) -> Any:
    y = mb.linear(x=x, weight=WEIGHT, name="product")
    return mb.relu(x=mb.tanh(x=y), name="last")


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def test_modes_round_where_they_say() -> None:
    inputs = {"x": (X.shape, "fp16")}
    product = X.astype(np.float32) @ WEIGHT.astype(np.float32).T
    wanted = {
        "exact32": np.maximum(np.tanh(product), 0),
        "storage16": np.maximum(_half(np.tanh(_half(product))), 0),
        "fused16": np.maximum(_half(np.tanh(product)), 0),  # the product is never stored
    }
    for mode, expected in wanted.items():
        found = load(_net, inputs, mode=mode).predict({"x": X})["last"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7 if mode == "exact32" else 5e-4)
        if mode != "exact32":
            assert np.array_equal(found, _half(found))
    assert not np.array_equal(wanted["exact32"], wanted["storage16"])


def test_a_fused_value_is_rounded_once_it_is_stored() -> None:
    """A value-preserving op after an unrounded one must round, or nobody ever does."""

    def build(x: Any) -> Any:
        return mb.relu(x=mb.linear(x=x, weight=WEIGHT))

    (found,) = load(build, {"x": (X.shape, "fp16")}, mode="fused16").predict({"x": X}).values()
    assert np.array_equal(found, _half(found))


@given(st.integers(0, 2**16), st.sampled_from([0.5, 1.0, 3.0]))
def test_noise_stays_within_its_steps(seed: int, ulp: float) -> None:
    values = torch.randn(500, generator=torch.Generator().manual_seed(seed)) * 10
    values[:3] = torch.tensor([0.0, 1.0, 70000.0])
    clean = round16(values)
    noisy = Numerics("storage16", ulp, seed).disturb(values)
    order = [
        np.where(v < 0, -(v & 0x7FFF), v)
        for v in (a.half().view(torch.int16).numpy().astype(int) for a in (clean, noisy))
    ]
    steps = np.abs(order[0] - order[1])
    assert steps.max() <= np.ceil(ulp)
    assert steps.max() > 0
    assert noisy[0] == 0
    assert torch.isinf(noisy[2])
    assert torch.equal(noisy, Numerics("storage16", ulp, seed).disturb(values))


def test_noise_is_seeded_and_spares_what_is_not_computed() -> None:
    inputs = {"x": (X.shape, "fp16")}
    one, same = (load(_net, inputs, noise_ulp=2.0, seed=1).predict({"x": X})["last"] for _ in range(2))
    other = load(_net, inputs, noise_ulp=2.0, seed=2).predict({"x": X})["last"]
    clean = load(_net, inputs).predict({"x": X})["last"]
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, clean)
    moved = load(lambda x: mb.reshape(x=x, shape=[-1]), inputs, noise_ulp=2.0).predict({"x": X})
    assert np.array_equal(next(iter(moved.values())), X.astype(np.float32).ravel())


@pytest.mark.parametrize(
    ("mode", "noise"), [("exact32", 1.0), ("storage16", -1.0), ("storage16", float("nan"))]
)
def test_senseless_noise_is_refused(mode: str, noise: float) -> None:
    with pytest.raises(DeployError, match="NOISE-NOT-POSSIBLE"):
        Numerics(mode, noise)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(DeployError, match="UNKNOWN-MODE"):
        Numerics("fp8")


def test_limits_are_counted_before_rounding() -> None:
    found = count_limits(torch.tensor([1.0, 65504.0, 65519.0, 65520.0, -1e6, 1e-5, 1e-9, 0.0]))
    assert (found.elements, found.overflows, found.denormals, found.vanished) == (8, 2, 1, 1)
    program = load(lambda x: mb.exp(x=x, name="y"), {"x": ((2,), "fp16")}, mode="exact32")
    assert program.fp16_limits({"x": np.array([20, -20])})["y"].overflows == 1


def test_integers_wrap_as_their_dtype() -> None:
    value = torch.tensor([300, -1, 2**31])
    assert to_integer(value, "uint8").tolist() == [44, 255, 0]
    assert to_integer(value, "int8").tolist() == [44, -1, 0]
    assert to_integer(value, "uint16").tolist() == [300, 65535, 0]
    assert to_integer(value, "int32").tolist() == [300, -1, -(2**31)]
    assert to_integer(torch.tensor([1.9, -1.9]), "int32").tolist() == [1, -1]


def test_in_place_rounding_never_touches_inputs_or_weights() -> None:
    x = np.full((2, 3), 0.1, np.float32)

    def build(x: Any) -> Any:
        y = mb.cast(x=mb.identity(x=x), dtype="fp16")
        return mb.add(x=y, y=y), mb.cast(x=mb.identity(x=x, name="copy"), dtype="fp32", name="kept")

    found = load(build, {"x": ((2, 3), "fp32")}).predict({"x": x})
    assert np.array_equal(found["kept"], x)
    assert x[0, 0] == np.float32(0.1)
