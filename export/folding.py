"""Fold batch norms into the convolutions before them, so that what is quantized is what will be run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule


def folded(program: ExportedProgram) -> ExportedProgram:
    """The same function captured again without norms behind convolutions."""
    import copy

    import torch

    inner: Any = copy.deepcopy(program.module())
    fold_norms(inner, set())
    return torch.export.export(inner, examples_of(program))


def examples_of(program: ExportedProgram) -> tuple[torch.Tensor, ...]:
    """Zeros of the shapes and dtypes that a program takes, to capture it again with."""
    import torch

    return tuple(
        torch.zeros(tuple(node.meta["val"].shape), dtype=node.meta["val"].dtype)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    )


def fold_norms(module: GraphModule, wide: set[str]) -> None:
    """Fold every batch norm into the convolution before it, in float64; wide ones stay as they are."""
    import torch

    aten = torch.ops.aten
    convolutions = (aten.conv2d.default, aten.conv1d.default, aten.conv2d.padding)
    for node in list(module.graph.nodes):
        source = node.args[0] if node.target == aten.batch_norm.default else None
        if source is None or source.target not in convolutions or len(source.users) > 1:
            continue
        tensors = [_constant(module, arg) for arg in (*source.args[1:2], *node.args[1:5])]
        if {node.name, source.name} & wide or any(tensor is None for tensor in tensors) or node.args[5]:
            continue
        weight, gamma, beta, mean, variance = (tensor.double() for tensor in tensors)  # type: ignore[union-attr]
        given = source.args[2] if len(source.args) > 2 else None
        bias = mean * 0 if given is None else _constant(module, given)
        if bias is None:
            continue
        scale = gamma / torch.sqrt(variance + float(node.args[7]))
        name = f"folded_{node.name}"
        module.register_buffer(
            f"{name}_weight", (weight * scale.reshape(-1, *[1] * (weight.dim() - 1))).float()
        )
        module.register_buffer(f"{name}_bias", ((bias.double() - mean) * scale + beta).float())
        with module.graph.inserting_before(source):
            new = [module.graph.get_attr(f"{name}_{part}") for part in ("weight", "bias")]
        source.args = (source.args[0], *new, *source.args[3:])
        node.replace_all_uses_with(source)
        module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()


def _constant(module: GraphModule, node: Any) -> torch.Tensor | None:
    """The tensor behind a ``get_attr`` node."""
    if getattr(node, "op", None) != "get_attr":
        return None
    owner, _, leaf = node.target.rpartition(".")
    found: torch.Tensor = getattr(module.get_submodule(owner), leaf).detach()
    return found
