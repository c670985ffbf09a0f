"""The program that every target's 8-bit file starts from: weights on their 8-bit steps, biases shifted."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from export.folding import examples_of

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

    from export.quantization.simulate import Simulator


def readied(program: ExportedProgram, simulator: Simulator, wide: Collection[str] = ()) -> ExportedProgram:
    """The program with what a layer in 8 bits has for weights and bias, captured again.

    A target finds the same integers again, because the largest weight of a channel stays what it was; so what
    it makes of the program in float already shows what rounding the weights costs.

    Args:
        program: the one that the simulator was made of.
        wide: layers that stay float.
    """
    module: Any = copy.deepcopy(program.module())
    nodes = {node.name: node for node in module.graph.nodes}
    for unit in simulator.units:
        if unit.name in wide:
            continue
        layer = simulator.node(unit.name)
        arguments = list(nodes[unit.name].args)
        for place, value in _values(simulator, layer).items():
            name = f"{unit.name}_ready_{place}"
            module.register_buffer(name, value.clone())  # it may come from inference mode
            with module.graph.inserting_before(nodes[unit.name]):
                arguments[place : place + 1] = [module.graph.get_attr(name)]
        nodes[unit.name].args = tuple(arguments)
    module.graph.eliminate_dead_code()
    module.recompile()
    return torch.export.export(module, examples_of(program))


def _values(simulator: Simulator, layer: Node) -> dict[int, Tensor]:
    """New constants by argument: weights second, a bias third."""
    found: dict[int, Tensor] = {}
    constants = {
        place: each for place, each in enumerate(layer.args) if getattr(each, "op", "") == "get_attr"
    }
    if 1 in constants:
        found[1] = simulator.rounded(layer)
    if layer.name in simulator.shifts:
        shift = simulator.shifts[layer.name]
        found[2] = shift + simulator.constant(constants[2]) if 2 in constants else shift
    return found
