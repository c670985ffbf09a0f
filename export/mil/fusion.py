"""Which values a fusing runtime would never store: those between a heavy op and what follows it alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

_HEAVY = frozenset(
    {
        "batch_norm",
        "conv",
        "conv_transpose",
        "instance_norm",
        "layer_norm",
        "linear",
        "matmul",
        "scaled_dot_product_attention",
    }
)
_LIGHT = frozenset(
    {
        "add",
        "batch_norm",
        "clamped_relu",
        "clip",
        "elu",
        "gelu",
        "leaky_relu",
        "mul",
        "prelu",
        "real_div",
        "relu",
        "relu6",
        "sigmoid",
        "sigmoid_hard",
        "silu",
        "softsign",
        "sub",
        "tanh",
        "thresholded_relu",
    }
)
_GOES_ON = frozenset({"add", "batch_norm", "mul"})


def left_wide(block: Any) -> frozenset[str]:
    """Names of a block's values that ``fused16`` does not round.

    A value qualifies when it has one reader, that reader is light, and its maker is heavy, or is a bias,
    scale or norm that itself continues such a chain.
    """
    readers: Counter[str] = Counter(block.outputs)
    reader: dict[str, Any] = {}
    for operation in block.operations:
        for name in _names(operation):
            readers[name] += 1
            reader[name] = operation
    wide: set[str] = set()
    chained: set[str] = set()
    for operation in block.operations:
        if len(operation.outputs) != 1:
            continue
        name = operation.outputs[0].name
        follower = reader.get(name)
        if readers[name] != 1 or follower is None or follower.type not in _LIGHT or follower.blocks:
            continue
        if operation.type in _HEAVY or name in chained:
            wide.add(name)
            if follower.type in _GOES_ON:
                chained.update(output.name for output in follower.outputs)
    return frozenset(wide)


def _names(operation: Any) -> list[str]:
    """What an op reads by name, in itself and in its nested blocks."""
    names = [binding.name for argument in operation.inputs.values() for binding in argument.arguments]
    for block in operation.blocks:
        names += block.outputs
        for nested in block.operations:
            names += _names(nested)
    return [name for name in names if name]
