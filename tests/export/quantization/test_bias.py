"""Biases take back what rounding the weights shifts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from export.folding import folded
from export.quantization.bias import bias_shifts
from export.quantization.ready import readied
from export.quantization.simulate import Simulator

LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Conv2d(32, 16, 3, groups=2), (1, 32, 9, 9)),
    (nn.Conv2d(32, 16, 3, bias=False), (1, 32, 9, 9)),
    (nn.ConvTranspose2d(32, 16, 2, stride=2), (1, 32, 5, 5)),
    (nn.Conv1d(32, 16, 3), (1, 32, 20)),
    (nn.Linear(32, 16), (1, 4, 32)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda each: type(each).__name__)
def test_the_mean_of_every_channel_is_as_it_was(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """An input that is the same everywhere: the shift is exact in the mean of every output channel."""
    torch.manual_seed(3)
    axis = 2 if isinstance(layer, nn.Linear) else 1
    image = torch.rand([32 if number == axis else 1 for number in range(len(shape))]).expand(shape)
    image = image.contiguous()
    program = folded(torch.export.export(nn.Sequential(layer).eval(), (image,)))
    simulator = Simulator(program)
    (unit,) = simulator.units
    (door,) = (node.name for node in simulator.nodes if node.op == "placeholder")
    shifts = bias_shifts(simulator, [{door: image.numpy()}, {door: image.numpy()}])
    assert set(shifts) == {unit.name}

    def mean(found: Simulator, narrow: tuple[str, ...]) -> torch.Tensor:
        with torch.inference_mode():
            made = found.run({door: image}, narrow)[0][0]
        return made.mean([number for number in range(made.dim()) if number != axis])

    exact, plain = mean(simulator, ()), mean(simulator, (unit.name,))
    simulator.shifts = shifts
    ready = Simulator(readied(program, simulator))
    assert [each.name for each in ready.units] == [unit.name], "the layer's name must survive"
    for made in (mean(simulator, (unit.name,)), mean(ready, ()), mean(ready, (unit.name,))):
        torch.testing.assert_close(made, exact, atol=2e-6, rtol=0)
    left = Simulator(readied(program, simulator, (unit.name,)))
    torch.testing.assert_close(mean(left, ()), exact, atol=0, rtol=0)
    assert float((plain - exact).abs().max()) > 1e-4
    torch.testing.assert_close(mean(simulator, ()), exact, atol=0, rtol=0)


def test_grouped_transposed_layers_keep_their_bias() -> None:
    image: Any = torch.rand(1, 32, 5, 5)
    net = nn.Sequential(nn.ConvTranspose2d(32, 16, 2, stride=2, groups=2)).eval()
    simulator = Simulator(torch.export.export(net, (image,)))
    assert len(simulator.units) == 1
    assert bias_shifts(simulator, [{"input": image.numpy()}]) == {}
