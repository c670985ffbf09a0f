"""What the fp32 reference computes at every node of its captured program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Node:
    """A node of the program. ``inputs`` are the names of the nodes it reads, ``module`` where in the model's
    source it belongs (``None`` for what the capture added)."""

    name: str
    op: str
    module: str | None
    inputs: tuple[str, ...]


class ReferenceProgram:
    """The reference's ``program.pt2``, run node by node.

    Args:
        path: the program.
        inputs: names of its inputs in order.
        outputs: names of its outputs in order.
    """

    def __init__(self, path: Path, inputs: Sequence[str], outputs: Sequence[str], threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._module: Any = torch.export.load(str(path)).module()
        self._inputs = list(inputs)
        self.nodes = {
            node.name: Node(
                node.name, _op(node), module_of(node), tuple(n.name for n in node.all_input_nodes)
            )
            for node in self._module.graph.nodes
            if node.op in ("call_function", "placeholder")
        }
        last = next(node for node in self._module.graph.nodes if node.op == "output")
        self.doors = dict(zip(outputs, (node.name for node in last.all_input_nodes), strict=False))

    def values(self, feed: dict[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Float values of every node for one sample, in execution order."""
        import torch
        from torch.fx import Interpreter
        from torch.fx import Node as FxNode

        found: dict[str, NDArray[np.float32]] = {}

        class Watch(Interpreter):
            def run_node(self, n: FxNode) -> Any:
                value = super().run_node(n)
                if isinstance(value, torch.Tensor) and value.is_floating_point() and n.op == "call_function":
                    found[n.name] = value.detach().float().numpy().copy()
                return value

        arguments = [torch.from_numpy(np.ascontiguousarray(feed[name])) for name in self._inputs]
        with torch.inference_mode():
            Watch(self._module).run(*arguments)
        return found


def module_of(node: Any) -> str | None:
    """The innermost module that a captured node came from, as the model's author would write it."""
    found = ""
    for path, _ in (node.meta.get("nn_module_stack") or {}).values():
        found = path if path.startswith(found) else f"{found}.{path}"  # fused modules give their last part
    return found.removeprefix("model").removeprefix(".") or None


def _op(node: Any) -> str:
    return (
        str(node.target).removeprefix("aten.").rpartition(".")[0] if node.op == "call_function" else node.op
    )
