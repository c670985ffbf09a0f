"""An ML Program as plain steps: what reads what, and how many constant numbers each op multiplies with."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from export.quantization.tail import Step, float_tail, tail_doors
from export.quantization.units import widened

WEIGHTED = ("conv", "conv_transpose", "gather", "gru", "linear", "lstm", "matmul", "rnn")
"""Op types that carry learnt weights."""


def coreml_wide(spec: Any, layers: Collection[str], wide: Collection[str]) -> frozenset[str]:
    """Names of the ops behind the last weights, and of those of the given layers.

    Args:
        spec: the package's protobuf message.
        layers: names of all layers of the captured program; an op is called as its layer, with a suffix.
        wide: those of them that stay float.
    """
    steps = coreml_steps(spec)
    tail = float_tail(steps, _block(spec).outputs)

    def called(name: str) -> str:
        return max(
            (each for each in layers if name == each or name.startswith(f"{each}_")), key=len, default=""
        )

    return tail | widened(steps, tail, wide, called)


def coreml_doors(spec: Any) -> frozenset[str]:
    """The values that leave the trunk, whose ranges are never clipped."""
    steps, outputs = coreml_steps(spec), list(_block(spec).outputs)
    return tail_doors(steps, float_tail(steps, outputs), outputs)


def coreml_steps(spec: Any) -> list[Step]:
    """The ops in the order they run, constants aside."""
    block = _block(spec)
    sizes = {op.outputs[0].name: _elements(op) for op in block.operations if op.type == "const"}
    return [
        Step(
            name=name_of(op),
            reads=tuple(reads_of(op)),
            makes=tuple(value.name for value in op.outputs),
            weights=max((sizes.get(name, 0) for name in reads_of(op)), default=0)
            if op.type in WEIGHTED
            else 0,
        )
        for op in block.operations
        if op.type != "const"
    ]


def concats(spec: Any, wide: frozenset[str]) -> list[list[str]]:
    """For every concat that is not wide: the values it joins, and the one it makes."""
    return [
        [*(name for name in reads_of(op, "values")), op.outputs[0].name]
        for op in _block(spec).operations
        if op.type == "concat" and name_of(op) not in wide
    ]


def name_of(op: Any) -> str:
    """The op's own name, which coremltools' configurations go by."""
    return str(op.attributes["name"].immediateValue.tensor.strings.values[0])


def reads_of(op: Any, argument: str | None = None) -> Iterator[str]:
    """Names of the values that an op reads, for one argument or all."""
    given = op.inputs.values() if argument is None else [op.inputs[argument]]
    for each in given:
        yield from (binding.name for binding in each.arguments if binding.WhichOneof("binding") == "name")


def _block(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def _elements(op: Any) -> int:
    count = 1
    for dimension in op.outputs[0].type.tensorType.dimensions:
        count *= dimension.constant.size
    return count
