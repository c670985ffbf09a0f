"""The distance that ways of calibrating are chosen by: scipy's numbers, zero for equals, and it grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy as kl

from deploy.contracts.decode import BinaryMaskDecode, ClassifyDecode, TensorsDecode, YoloDecode
from export.calibration.choose import choose
from export.calibration.divergence import divergence
from export.calibration.histogram import Observer

RNG = np.random.default_rng(0)
NAMES = ("a", "b", "c")


def yolo_outputs() -> dict[str, Any]:
    """Ten anchors, three classes, four coefficients, prototypes; two confident objects."""
    head = RNG.random((1, 4 + 3 + 4, 10)).astype(np.float32)
    head[0, :4] = RNG.uniform(50, 500, (4, 10))
    head[0, 4:7] *= 0.05
    head[0, 4, 2] = 0.9
    head[0, 6, 5] = 0.8
    return {"head": head, "protos": RNG.standard_normal((1, 4, 8, 8)).astype(np.float32)}


YOLO = YoloDecode(output="head", protos="protos", class_names=NAMES, mask_coefficients=4)
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "classify": (ClassifyDecode(output="y"), {"y": RNG.standard_normal((1, 7)).astype(np.float32)}),
    "mask": (BinaryMaskDecode(output="y"), {"y": RNG.standard_normal((1, 1, 9, 9)).astype(np.float32)}),
    "yolo": (YOLO, yolo_outputs()),
    "tensors": (TensorsDecode(), {"y": RNG.standard_normal((2, 3)).astype(np.float32)}),
}


@pytest.mark.parametrize("name", list(CASES))
def test_equal_outputs_diverge_by_nothing_and_noise_by_more_and_more(name: str) -> None:
    decode, outputs = CASES[name]
    assert divergence(decode, [outputs], [outputs]) == pytest.approx(0, abs=1e-9)
    noise = {key: RNG.standard_normal(value.shape).astype(np.float32) for key, value in outputs.items()}
    found = [
        divergence(decode, [outputs], [{key: value + scale * noise[key] for key, value in outputs.items()}])
        for scale in (0.01, 0.1, 1.0)
    ]
    assert 0 < found[0] < found[1] < found[2]


def test_classifiers_diverge_by_scipys_kl() -> None:
    one, other = RNG.standard_normal((2, 1, 20)).astype(np.float32)
    expected = kl(softmax(one.astype(np.float64), axis=1)[0], softmax(other.astype(np.float64), axis=1)[0])
    found = divergence(ClassifyDecode(output="y"), [{"y": one}], [{"y": other}])
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_a_detector_whose_scores_all_became_zero_diverges_far() -> None:
    decode, outputs = CASES["yolo"]
    zeroed = {**outputs, "head": outputs["head"].copy()}
    zeroed["head"][0, 4:7] = 0
    nudged = {**outputs, "head": outputs["head"].copy()}
    nudged["head"][0, :4] += 1.0
    assert divergence(decode, [outputs], [zeroed]) > 10 * divergence(decode, [outputs], [nudged])


def test_what_is_not_finite_is_infinitely_far() -> None:
    decode, outputs = CASES["tensors"]
    assert divergence(decode, [outputs], [{"y": outputs["y"] * np.nan}]) == float("inf")


def test_the_way_that_diverges_least_is_chosen_and_every_trial_is_told() -> None:
    observer = Observer([2, 4])
    for size in (1.0, 1.0, 1.0, 100.0):
        observer.watch("x", np.float32([-size, size]))
        observer.next_sample()
    reference = {"y": np.float32([[1.0]])}

    def run(ranges: dict[str, tuple[float, float]], part: Sequence[int]) -> list[dict[str, Any]]:
        return [{"y": np.float32([[ranges["x"][1]]])} for _ in part]

    chosen = choose(observer, ("minmax",), (2, 4), TensorsDecode(), [reference], run)
    assert chosen.ranges["x"] == (-1.0, 1.0)
    assert [(trial.method, trial.samples) for trial in chosen.trials] == [("minmax", 2), ("minmax", 4)]
    assert chosen.trials[0].divergence == pytest.approx(0, abs=1e-9)


def test_only_what_leads_sees_all_samples() -> None:
    observer = Observer([1, 2, 3, 4])
    for size in (1.0, 2.0, 4.0, 8.0):
        observer.watch("x", np.float32([-size, size]))
        observer.next_sample()
    seen: dict[float, list[int]] = {}

    def run(ranges: dict[str, tuple[float, float]], part: Sequence[int]) -> list[dict[str, Any]]:
        seen.setdefault(ranges["x"][1], []).extend(part)
        return [{"y": np.float32([[ranges["x"][1]]])} for _ in part]

    references = [{"y": np.float32([[1.9]])} for _ in range(12)]
    chosen = choose(observer, ("minmax",), (1, 2, 3, 4), TensorsDecode(), references, run)
    assert [trial.samples for trial in chosen.trials] == [2, 1, 3, 4]
    assert {size: len(indices) for size, indices in seen.items()} == {1.0: 6, 2.0: 12, 4.0: 3, 8.0: 3}
    assert sorted(seen[2.0]) == list(range(12))
    assert chosen.ranges["x"] == (-2.0, 2.0)


@pytest.mark.parametrize(("noise", "winner"), [(3.0, "mse"), (0.01, "minmax")])
def test_what_is_better_by_chance_alone_does_not_win(noise: float, winner: str) -> None:
    observer = Observer([1])
    values = np.linspace(-1, 1, 1_000_000, dtype=np.float32)
    observer.watch("x", np.append(values, np.float32([-2, 2])))
    observer.next_sample()
    drawn = np.random.default_rng(0).normal(0.0, noise, 12)

    def run(ranges: dict[str, tuple[float, float]], part: Sequence[int]) -> list[dict[str, Any]]:
        clipped = ranges["x"][1] < 1.9
        return [{"y": np.float32([[1 + np.exp((drawn[i] + 0.2) * clipped - 5)]])} for i in part]

    references = [{"y": np.float32([[1.0]])} for _ in drawn]
    chosen = choose(observer, ("minmax", "mse"), (1,), TensorsDecode(), references, run)
    assert chosen.trials[0].method == winner
    assert len(chosen.trials) == 2


def test_one_way_is_not_tried() -> None:
    observer = Observer([1])
    observer.watch("x", np.float32([2.0, 3.0]))
    observer.next_sample()

    def run(ranges: Any, part: Any) -> Any:
        raise AssertionError("there is nothing to choose")

    chosen = choose(observer, ("minmax",), (1,), TensorsDecode(), [], run)
    assert chosen.ranges["x"] == (0.0, 3.0)  # zero must be exact, so every range holds it
    assert chosen.trials[0].divergence is None
