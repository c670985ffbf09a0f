"""What coremltools' own tests taught about ops, kept here as small cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.export.mil.programs import mb, run

X = np.array([[[1.0, -7.0], [5.0, -6.0], [-3.0, -5.0]]], np.float32)


def test_channels_of_three_axes_are_the_first_for_local_response_norm() -> None:
    found = run(
        lambda x: (mb.local_response_norm(x=x, size=2), mb.local_response_norm(x=x, size=3)), {"x": X}
    )
    two = [[[0.99996257, -6.98716545], [4.99531746, -5.99191284], [-2.99898791, -4.99531746]]]
    three = [[[0.99997497, -6.99143696], [4.99687672, -5.99460602], [-2.99932504, -4.99687672]]]
    np.testing.assert_allclose(found[0], two, rtol=1e-5)
    np.testing.assert_allclose(found[1], three, rtol=1e-5)


@pytest.mark.parametrize("every", [True, False])
def test_a_reverse_lstm_returns_states_in_the_order_it_computes_them(every: bool) -> None:
    random = np.random.default_rng(0)
    x, h, c = (random.normal(size=shape).astype(np.float32) for shape in ((5, 1, 2), (1, 3), (1, 3)))
    weights = {
        "weight_ih": random.normal(size=(12, 2)).astype(np.float32),
        "weight_hh": random.normal(size=(12, 3)).astype(np.float32),
    }

    def build(direction: str) -> Any:
        return lambda x, h, c: mb.lstm(
            x=x, initial_h=h, initial_c=c, direction=direction, output_sequence=every, **weights
        )

    back = run(build("reverse"), {"x": x, "h": h, "c": c})
    ahead = run(build("forward"), {"x": x[::-1].copy(), "h": h, "c": c})
    for found, wanted in zip(back, ahead, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_rows_of_an_lstms_state_beyond_the_batch_are_not_read() -> None:
    """coremltools makes an initial state of as many rows as the longest packed sequence has steps."""
    random = np.random.default_rng(0)
    x = random.normal(size=(4, 2, 3)).astype(np.float32)
    h = np.stack([random.normal(size=3), random.normal(size=3), np.full(3, np.nan)]).astype(np.float32)
    weights = {
        "weight_ih": random.normal(size=(12, 3)).astype(np.float32),
        "weight_hh": random.normal(size=(12, 3)).astype(np.float32),
    }

    def build(x: Any, keep: Any, h: Any) -> Any:
        state = mb.slice_by_index(x=h, begin=[0, 0], end=keep)
        return mb.lstm(x=x, initial_h=state, initial_c=state, direction="forward", **weights)

    def answer(rows: int) -> list[Any]:
        return run(build, {"x": x, "keep": np.array([rows, 3], np.int32), "h": h})

    for found, wanted in zip(answer(3), answer(2), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_scalars_join_as_vectors() -> None:
    def build(x: Any) -> Any:
        sizes = mb.shape(x=x)
        one = mb.slice_by_index(x=sizes, begin=[0], end=[1], squeeze_mask=[True])
        two = mb.slice_by_index(x=sizes, begin=[2], end=[3], squeeze_mask=[True])
        return mb.concat(values=[one, two], axis=0)

    assert run(build, {"x": np.zeros((4, 5, 6), np.float32)})[0].tolist() == [4, 6]


def test_a_scalar_is_gathered_by_a_scalar() -> None:
    def build(x: Any) -> Any:
        return mb.gather(x=mb.shape(x=x), indices=np.int32(1), axis=0)

    assert int(run(build, {"x": np.zeros((4, 5, 6), np.float32)})[0]) == 5
