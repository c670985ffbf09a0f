"""Which values of a program leave the range of fp16 on real samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deploy.contracts.artifact import WideOp

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule

FP16_MAX = 65504.0


def largest_values(module: GraphModule, samples: Sequence[tuple[torch.Tensor, ...]]) -> dict[str, float]:
    """Largest absolute value of every node's output over the samples.

    Args:
        module: the program as an fx module, fp32.
        samples: positional inputs, float32.
    """
    import torch
    from torch.fx import Interpreter, Node

    largest: dict[str, float] = {}

    class Watch(Interpreter):
        def run_node(self, n: Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
                largest[n.name] = max(largest.get(n.name, 0.0), float(value.abs().max()))
            return value

    with torch.inference_mode():
        for sample in samples:
            Watch(module).run(*sample)
    return largest


def overflowing(module: GraphModule, samples: Sequence[tuple[torch.Tensor, ...]]) -> dict[str, float]:
    """Largest value of every node that leaves the range of fp16 (inputs aside)."""
    largest = largest_values(module, samples)
    made = {node.name for node in module.graph.nodes if node.op != "placeholder"}
    return {name: value for name, value in largest.items() if value > FP16_MAX and name in made}


def wide_nodes(module: GraphModule, over: Mapping[str, float]) -> tuple[WideOp, ...]:
    """Nodes that must stay fp32: those that overflow, and those that read an overflowing value."""
    wide: dict[str, str] = {}
    for node in module.graph.nodes:
        if node.name not in over:
            continue
        wide[node.name] = f"its output reaches {over[node.name]:.4g}; fp16 ends at {FP16_MAX:.0f}"
        for user in node.users:
            if user.op != "output":
                wide.setdefault(user.name, f"reads {node.name}, which leaves the range of fp16")
    return tuple(WideOp(name=name, reason=reason) for name, reason in wide.items())
