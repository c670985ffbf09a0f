"""What stays float behind the last weights, what a layer is, and what simulating it in 8 bits says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deploy.contracts.decode import TensorsDecode
from export.calibration.choose import ranges_of
from export.calibration.histogram import Observer
from export.quantization.finetune import finetune, with_constants
from export.quantization.sensitivity import as_tensors, rank, show
from export.quantization.simulate import Simulator
from export.quantization.tail import Step, float_tail
from export.quantization.units import units_of, widened
from tests.export.quantization.nets import Chain, Head, captured, picture

SHAPE = (1, 3, 16, 16)


def ranged(module: torch.nn.Module) -> Simulator:
    """A simulator with min-max ranges of three pictures."""
    simulator = Simulator(captured(module, *SHAPE))
    observer = Observer([3])
    for seed in range(3):
        show(simulator, picture(seed, *SHAPE), observer.watch)
        observer.next_sample()
    simulator.ranges = ranges_of(observer, "minmax", 3)
    return simulator


def test_the_tail_ends_at_the_last_weights_and_a_projection_of_sixteen_is_none() -> None:
    steps = [
        Step("trunk", ("image",), ("a",), 1000),
        Step("box", ("a",), ("b",), 512),
        Step("softmax", ("b",), ("c",), 0),
        Step("integral", ("c",), ("d",), 16),
        Step("score", ("a",), ("e",), 90),
        Step("sigmoid", ("e",), ("f",), 0),
        Step("cat", ("d", "f"), ("out",), 0),
    ]
    assert float_tail(steps, ["out"]) == {"softmax", "integral", "sigmoid", "cat"}


def test_boxes_and_scores_never_share_a_scale() -> None:
    """The whole head in 8 bits loses every score; with the float tail they survive."""
    simulator = ranged(Head())
    units = [unit.name for unit in simulator.units]
    sample = as_tensors(picture(7, *SHAPE))
    wanted = simulator.run(sample)[0][0]
    given = simulator.run(sample, units)[0][0]
    assert {"cat", "softmax", "sigmoid"} <= simulator.tail
    scores = (wanted[:, 4:] - given[:, 4:]).abs().max()
    assert float(scores) < 0.02
    low, high = simulator.ranges["cat"]
    shared = (high - low) / 255
    assert shared > 0.02, "in one 8-bit tensor the scores' steps would be as coarse as this"


def test_units_are_a_layer_and_what_follows() -> None:
    steps = [
        Step("one", ("image",), ("a",), 100),
        Step("act", ("a",), ("b",), 0),
        Step("two", ("b",), ("c",), 200),
        Step("add", ("b", "c"), ("d",), 0),
        Step("last", ("d",), ("e",), 50),
        Step("end", ("e",), ("out",), 0),
    ]
    tail = float_tail(steps, ["out"])
    assert [(unit.name, unit.steps, unit.weights) for unit in units_of(steps, tail)] == [
        ("one", ("one", "act"), 100),
        ("two", ("two", "add"), 200),
        ("last", ("last",), 50),
    ]
    assert widened(steps, tail, {"TWO"}, str.upper) == {"two", "add"}


def test_all_float_is_the_program_to_the_bit() -> None:
    program = captured(Chain(), *SHAPE)
    sample = as_tensors(picture(5, *SHAPE))
    with torch.inference_mode():
        found = Simulator(program).run(sample)[0][0]
        wanted = program.module()(sample["image"])
    assert torch.equal(found, wanted if isinstance(wanted, torch.Tensor) else wanted[0])


@pytest.mark.parametrize("seed", range(4))
def test_taking_known_values_changes_nothing(seed: int) -> None:
    simulator = ranged(Chain())
    sample = as_tensors(picture(seed, *SHAPE))
    _, known = simulator.run(sample, keep=True)
    for unit in simulator.units:
        fresh = simulator.run(sample, [unit.name])[0][0]
        assert torch.equal(simulator.run(sample, [unit.name], known=known)[0][0], fresh)


def test_a_narrow_convolution_is_torchs_fake_quantization() -> None:
    simulator = ranged(Chain())
    sample = as_tensors(picture(9, *SHAPE))
    _, known = simulator.run(sample, keep=True)
    narrow = simulator.run(sample, [simulator.units[0].name], keep=True)[1][simulator.units[0].name]
    (low, high), made = simulator.ranges["image"], simulator.ranges[simulator.units[0].name]
    program = captured(Chain(), *SHAPE)
    module: Any = program.module()
    node = next(each for each in module.graph.nodes if each.name == simulator.units[0].name)
    weight, bias = (simulator.constants()[each.name] for each in node.args[1:3])
    scales = weight.abs().amax((1, 2, 3)) / 127

    def rounded(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
        step = (high - low) / 255
        return torch.fake_quantize_per_tensor_affine(value, step, round(-low / step) - 128, -128, 127)

    whole = torch.round(weight / scales.reshape(-1, 1, 1, 1)).clamp(-127, 127) * scales.reshape(-1, 1, 1, 1)
    expected = torch.nn.functional.conv2d(rounded(sample["image"], low, high), whole, bias, padding=1)
    assert known["image"] is sample["image"]
    torch.testing.assert_close(narrow, rounded(expected, *made), atol=(made[1] - made[0]) / 255, rtol=0)


def test_the_ranking_is_resumed_and_the_same(tmp_path: Path) -> None:
    simulator = ranged(Chain())
    samples = [picture(seed, *SHAPE) for seed in range(3)]
    told: list[int] = []
    arguments: Any = (TensorsDecode(), ["out"])
    whole = rank(simulator, samples, *arguments, tmp_path / "a.json", lambda: told.append(1))
    rank(simulator, samples[:1], *arguments, tmp_path / "b.json", lambda: None)
    assert len(json.loads((tmp_path / "b.json").read_text())) == 1
    again = rank(simulator, samples, *arguments, tmp_path / "b.json", lambda: None)
    assert again == whole
    assert len(told) == 3
    assert list(whole.values()) == sorted(whole.values(), reverse=True)
    assert set(whole) == {unit.name for unit in simulator.units}
    assert all(np.isfinite(cost) and cost > 0 for cost in whole.values())


def test_fine_tuning_brings_the_8_bit_model_nearer_and_is_repeatable() -> None:
    simulator = ranged(Chain())
    units = [unit.name for unit in simulator.units]
    samples = [picture(seed, *SHAPE) for seed in range(3)]
    first, second = (
        finetune(simulator, samples, TensorsDecode(), ["out"], 60, 0, lambda: None) for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    after = Simulator(with_constants(captured(Chain(), *SHAPE), first), simulator.ranges)

    def error(each: Simulator) -> float:
        with torch.inference_mode():
            return sum(
                float(
                    (simulator.run(as_tensors(s))[0][0] - each.run(as_tensors(s), units)[0][0]).square().sum()
                )
                for s in samples
            )

    assert error(after) < error(simulator)
