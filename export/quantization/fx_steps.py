"""A torch graph as plain steps: what reads what, and how many constant numbers each multiplies with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from export.quantization.tail import Step, float_tail

if TYPE_CHECKING:
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
    """Names of the ops behind the last weights; ``graph`` as for ``fx_steps``."""
    return float_tail(fx_steps(graph), (each.name for each in graph.output_node().all_input_nodes))


def fx_steps(graph: Graph) -> list[Step]:
    """The ops in the order they run, without what is computed of constants alone.

    Args:
        graph: of an exported program's ``module()``, where constants are ``get_attr`` nodes with their fake
            tensors in ``meta["val"]``.
    """
    constants, weights = _constants(graph), constant_weights(graph)
    return [
        Step(
            name=node.name,
            reads=tuple(each.name for each in node.all_input_nodes),
            makes=(node.name,),
            weights=weights.get(node.name, 0),
        )
        for node in graph.nodes
        if node.op == "call_function" and node not in constants
    ]


def constant_weights(graph: Graph) -> dict[str, int]:
    """Elements of the largest constant that each multiplying op reads, by node name; see ``fx_steps``."""
    constants = _constants(graph)
    return {
        node.name: max((_elements(each) for each in node.all_input_nodes if each in constants), default=0)
        for node in graph.nodes
        if node.op == "call_function" and node not in constants and _multiplies(node)
    }


def _constants(graph: Graph) -> set[Node]:
    """Parameters, and what is computed of them alone."""
    found: set[Node] = set()
    for node in graph.nodes:
        made = node.op == "call_function" and found.issuperset(node.all_input_nodes)
        if made or node.op == "get_attr":
            found.add(node)
    return found


def _multiplies(node: Node) -> bool:
    name = str(node.target).removeprefix("aten.").split(".")[0]
    return name.startswith(_WEIGHTED)


def _elements(node: Node) -> int:
    value = node.meta.get("val")
    return math.prod(value.shape) if value is not None and hasattr(value, "shape") else 0
