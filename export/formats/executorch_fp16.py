"""True fp16 for XNNPACK: a half-precision graph whose weights stay half in the file.

ExecuTorch's own route (``model.half()``) stores the weights of convolutions as fp32 all the same, and its
decomposition of SiLU casts up and down, which cuts a YOLO into 124 partitions. Here SiLU is written as
``x * sigmoid(x)``, splits become slices (XNNPACK takes those in fp16), and only transposed convolutions keep
fp32 weights, because XNNPACK refuses half ones. Measured on yolov8n-seg: 5 partitions, half the file size.
Norms are folded into their convolutions before anything is rounded, not after.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deploy.contracts.artifact import WideOp
from export.folding import examples_of, fold_norms
from export.formats.executorch_rewrite import spell_out
from export.overflow import FP16_MAX

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node


def half_program(program: ExportedProgram, wide: set[str]) -> ExportedProgram:
    """The program in fp16 with fp32 inputs and outputs.

    Args:
        program: the captured fp32 program.
        wide: names of nodes to keep in fp32 (casts are put around them).
    """
    import torch
    from torch import nn

    inner: Any = copy.deepcopy(program.module())  # half() would narrow the caller's weights in place
    fold_norms(inner, wide)
    _widen(inner, wide)
    kept = {name: tensor.clone() for name, tensor in inner.state_dict().items() if _leaves_range(tensor)}
    inner.half()
    for name, tensor in kept.items():
        owner, _, leaf = name.rpartition(".")
        getattr(inner.get_submodule(owner), leaf).data = tensor
    spell_out(inner)

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *inputs: torch.Tensor) -> Any:
            values = self.inner(*(x.half() if x.is_floating_point() else x for x in inputs))
            flat = values if isinstance(values, (tuple, list)) else (values,)
            return tuple(v.float() if v.is_floating_point() else v for v in flat)

    return torch.export.export(Half(), examples_of(program))


def _leaves_range(tensor: torch.Tensor) -> bool:
    """Whether a weight would become infinite in fp16; its readers are among the wide nodes."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return False
    return float(tensor.detach().abs().max()) > FP16_MAX


def transposed_weights(program: ExportedProgram) -> tuple[WideOp, ...]:
    """The transposed convolutions: XNNPACK takes no half weights for them."""
    reason = "XNNPACK takes only fp32 weights for a transposed convolution"
    return tuple(
        WideOp(name=node.name, reason=reason)
        for node in program.graph.nodes
        if node.op == "call_function" and "conv_transpose" in str(node.target)
    )


def _widen(module: GraphModule, wide: set[str]) -> None:
    """Cast the inputs of the named nodes to fp32 and, where no other wide node reads them, back to fp16."""
    import torch
    from torch.fx import Node

    aten = torch.ops.aten
    graph = module.graph
    named = [node for node in graph.nodes if node.name in wide and node.op == "call_function"]
    chosen = set(named)
    for node in named:
        with graph.inserting_before(node):
            node.args = torch.fx.map_arg(
                node.args,
                lambda arg: (
                    arg
                    if not isinstance(arg, Node) or arg in chosen
                    else graph.call_function(aten.to.dtype, (arg, torch.float32))
                ),
            )
        others = [user for user in node.users if user not in chosen]
        if others:
            with graph.inserting_after(node):
                narrow = graph.call_function(aten.to.dtype, (node, torch.float16))
            for user in others:
                user.replace_input_with(node, narrow)
    module.recompile()


@contextmanager
def half_weights() -> Iterator[None]:
    """While lowering, let XNNPACK's serialiser keep half weights, except for transposed convolutions."""
    import torch
    from executorch.backends.xnnpack.operators.node_visitor import NodeVisitor

    original = NodeVisitor.define_tensor

    def define_tensor(self: Any, tensor: Node, *args: Any, **kwargs: Any) -> None:
        if tensor.meta["val"].dtype == torch.float16 and not _feeds_transposed(tensor):
            kwargs["force_fp32"] = False
        original(self, tensor, *args, **kwargs)

    NodeVisitor.define_tensor = define_tensor
    try:
        yield
    finally:
        NodeVisitor.define_tensor = original


def _feeds_transposed(tensor: Node) -> bool:
    return any("convolution" in str(user.target) and user.args[6] for user in tensor.users)
