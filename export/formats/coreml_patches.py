"""What coremltools 9.0 needs under torch 2.15, and nothing for versions that do not need it."""

from __future__ import annotations

from typing import Any

from deploy.toolchain import installed


def apply_patches() -> None:
    """Teach the torch front end ``aten.alias`` (new in torch 2.15's graphs) and switch off MHA's fast path.

    The fast path is a fused op that coremltools does not know; without it the same maths is exported as
    plain ops. A hardtanh of 0 to 6, which captured programs have for ReLU6, becomes Core ML's ``relu6``: as a
    ``clip`` it is not fused into the convolution before it, whose unclamped range then loses a bit or more.
    """
    import torch
    from coremltools.converters.mil import Builder as mb  # noqa: N813
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.frontend.torch.torch_op_registry import (
        _TORCH_OPS_REGISTRY,
        register_torch_op,
    )

    torch.backends.mha.set_fastpath_enabled(False)
    if not (installed("coremltools") or "").startswith("9.") or "alias" in _TORCH_OPS_REGISTRY:
        return

    def alias(context: Any, node: Any) -> None:
        source = ops._get_inputs(context, node, min_expected=1)[0]
        context.add(mb.identity(x=source, name=node.name), node.name)

    clip = _TORCH_OPS_REGISTRY.get_func("hardtanh")

    def hardtanh(context: Any, node: Any) -> None:
        source, *limits = ops._get_inputs(context, node, expected=3)
        if [float(limit.val) for limit in limits] == [0.0, 6.0]:
            context.add(mb.relu6(x=source, name=node.name))
        else:
            clip(context, node)

    register_torch_op(alias)
    register_torch_op(hardtanh, override=True)
