"""A torch graph as plain steps: what reads what, and how many constant numbers each multiplies with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from export.quantization.tail import Step, float_tail

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Graph, Node

_WEIGHTED = (
    "conv",
    "linear",
    "matmul",
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
    "einsum",
    "embedding",
    "lstm",
    "gru",
)


def fx_tail(graph: Graph) -> frozenset[str]:
    """Names of the ops behind the last weights.

    Args:
        graph: of an exported program's ``module()``, where constants are ``get_attr`` nodes with their fake
            tensors in ``meta["val"]``.
    """
    constants: set[Node] = set()
    steps = []
    for node in graph.nodes:
        if node.op == "get_attr" or (
            node.op == "call_function" and constants.issuperset(node.all_input_nodes)
        ):
            constants.add(node)
        elif node.op == "call_function":
            reads = node.all_input_nodes
            weights = max((_elements(each) for each in reads if each in constants), default=0)
            steps.append(
                Step(
                    name=node.name,
                    reads=tuple(each.name for each in reads),
                    makes=(node.name,),
                    weights=weights if _multiplies(node) else 0,
                )
            )
    return float_tail(steps, (each.name for each in graph.output_node().all_input_nodes))


def program_tail(program: ExportedProgram) -> frozenset[str]:
    """The same of a captured program."""
    module: Any = program.module()
    return fx_tail(module.graph)


def _multiplies(node: Node) -> bool:
    name = str(node.target).removeprefix("aten.").split(".")[0]
    return name.startswith(_WEIGHTED)


def _elements(node: Node) -> int:
    value = node.meta.get("val")
    return math.prod(value.shape) if value is not None and hasattr(value, "shape") else 0
