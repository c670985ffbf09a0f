"""Rounded weights shift the mean of what a layer gives; its bias, which has 32 bits, can take that back.

A channel's weights are rounded once, so their error is the same in every picture and at every pixel: times
the mean of what the layer reads, it is a constant. Only the weights' own error is taken back. Matching the
means of a quantized run, as is also done (Nagel et al., 2019), chases the few pictures whose activations are
clipped: measured, it made YOLOv8n-seg worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from export.quantization.sensitivity import Sample, as_tensors

if TYPE_CHECKING:
    from torch.fx import Node

    from export.quantization.simulate import Simulator

_BIASED = ("conv", "linear")


def bias_shifts(simulator: Simulator, samples: Sequence[Sample]) -> dict[str, Tensor]:
    """What to add to the bias of every layer so that rounding its weights leaves the mean where it was.

    Args:
        simulator: of the folded program.
        samples: calibration pictures.

    Returns:
        float32 (channels,) by layer.
    """
    layers = {unit.name for unit in simulator.units}
    nodes = [node for node in simulator.nodes if node.name in layers and _biased(node)]
    means = {node.name: torch.zeros((), dtype=torch.float64) for node in nodes}
    with torch.inference_mode():
        for sample in samples:
            _, values = simulator.run(as_tensors(sample), keep=True)
            for node in nodes:
                read: Tensor = values[node.all_input_nodes[0].name]
                means[node.name] = means[node.name] + _mean(node, read) / len(samples)
        return {node.name: _shift(simulator, node, means[node.name]).float() for node in nodes}


def _biased(node: Node) -> bool:
    """Whether it is a product with a constant that adds a constant bias, or none."""
    name = str(node.target).removeprefix("aten.")
    constants = [each for each in node.args[1:3] if each is not None]
    if "transpose" in name and len(node.args) > 6 and node.args[6] != 1:
        return False  # in groups; no model here has one
    return name.startswith(_BIASED) and all(getattr(each, "op", "") == "get_attr" for each in constants)


def _mean(node: Node, read: Tensor) -> Tensor:
    """Of every channel of what a layer reads: float64 (channels,)."""
    weight: Any = node.args[1]
    axis = (1 - weight.meta["val"].dim()) % read.dim()  # the last for a linear, the third from it in 2-D
    return read.double().mean([each for each in range(read.dim()) if each != axis])


def _shift(simulator: Simulator, node: Node, mean: Tensor) -> Tensor:
    weight: Any = node.args[1]
    lost = (simulator.constant(weight) - simulator.rounded(node)).double()
    lost = lost.reshape(*lost.shape[:2], -1).sum(2)
    if "conv_transpose" in str(node.target):  # an output pixel gets one in stride x stride of the taps
        return mean @ lost / _density(node)
    groups = len(mean) // lost.shape[1]
    read = mean.reshape(groups, -1).repeat_interleave(len(lost) // groups, 0)
    return (lost * read).sum(1)


def _density(node: Node) -> int:
    strides: Any = node.args[3] if len(node.args) > 3 else (1,)
    weight: Any = node.args[1]
    spatial = weight.meta["val"].dim() - 2
    return math.prod(strides if len(strides) == spatial else (*strides,) * spatial)
