"""What is really inside an ML Program: stored weight bytes and compute ops by dtype."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from deploy.contracts.artifact import PrecisionProof
from export.formats.coreml_package import read_spec
from export.formats.coreml_steps import reads_of

_PLUMBING = frozenset(
    {
        "const",
        "cast",
        "dequantize",
        "expand_dims",
        "identity",
        "quantize",
        "reshape",
        "shape",
        "squeeze",
        "transpose",
    }
)
_PRODUCTS = frozenset({"conv", "conv_transpose", "linear", "matmul"})
_OPERANDS = ("x", "y", "weight")
_BITS = {
    "FLOAT16": ("float16", 16),
    "FLOAT32": ("float32", 32),
    "FLOAT64": ("float64", 64),
    "INT8": ("int8", 8),
    "UINT8": ("uint8", 8),
    "INT16": ("int16", 16),
    "UINT16": ("uint16", 16),
    "INT32": ("int32", 32),
    "INT64": ("int64", 64),
    "INT4": ("int4", 4),
    "UINT4": ("uint4", 4),
    "UINT6": ("uint6", 6),
    "UINT3": ("uint3", 3),
    "UINT2": ("uint2", 2),
    "UINT1": ("uint1", 1),
    "BOOL": ("bool", 8),
}


def prove_coreml(package: Path) -> PrecisionProof:
    """Count the weight blob's bytes and the computing ops by dtype.

    An op's dtype is its first output's, or that of the integers it computes on.
    """
    weights: Counter[str] = Counter()
    ops: Counter[str] = Counter()
    total = 0
    everything = operations(read_spec(package))
    narrow = _in_8_bits(everything)
    for operation in everything:
        total += 1
        for value in _stored(operation):
            name, bits = _dtype(value.type.tensorType)
            if value is _palette_indices(operation):
                name = f"uint{_palette_bits(operation)}"  # packed, and declared as plain bytes
            weights[name] += _elements(value.type.tensorType) * bits // 8
        if operation.type not in _PLUMBING and not operation.type.startswith("constexpr"):
            made = operation.outputs[0]
            ops[narrow.get(made.name) or _dtype(made.type.tensorType)[0]] += 1
    return PrecisionProof(
        weight_bytes=dict(sorted(weights.items())), ops=dict(sorted(ops.items())), total_ops=total
    )


def _in_8_bits(everything: list[Any]) -> dict[str, str]:
    """The first output of each op that computes on 8-bit integers, and their dtype.

    Two shapes do: an op whose every operand is dequantized or a compressed weight (a product of integers,
    rescaled), and one that reads something dequantized and is only read by quantize.
    """
    types = {value.name: _dtype(value.type.tensorType)[0] for op in everything for value in op.outputs}
    undo = [op for op in everything if op.type == "dequantize"]
    dequantized = {op.outputs[0].name: types[next(reads_of(op, "input"))] for op in undo}
    weights = {value.name for op in everything if op.type.startswith("constexpr") for value in op.outputs}
    readers: dict[str, list[Any]] = {}
    for op in everything:
        for name in reads_of(op):
            readers.setdefault(name, []).append(op)
    found = {}
    for op in everything:
        names = list(reads_of(op))
        made = op.outputs[0].name if op.outputs else ""
        narrow = [dequantized[name] for name in names if name in dequantized]
        closed = made in readers and all(reader.type == "quantize" for reader in readers[made])
        product = op.type in _PRODUCTS and all(name in dequantized or name in weights for name in _data(op))
        if narrow and (closed or product):
            found[made] = narrow[0]
    return found


def _data(operation: Any) -> list[str]:
    """The operands that a product multiplies; its bias is added to the sum, in more bits."""
    given = [argument for argument in _OPERANDS if argument in operation.inputs]
    return [name for argument in given for name in reads_of(operation, argument)]


def operations(spec: Any) -> list[Any]:
    """Every operation of every function of an ML Program."""
    functions = spec.mlProgram.functions.values()
    return [op for each in functions for op in _operations(each.block_specializations[each.opset])]


def _operations(block: Any) -> list[Any]:
    """Every operation of a block and of the blocks nested in it."""
    found = []
    for operation in block.operations:
        found.append(operation)
        for nested in operation.blocks:
            found.extend(_operations(nested))
    return found


def _palette_indices(operation: Any) -> Any:
    """The packed indices of an iOS 16 palette op; ``None`` for any other op."""
    packed = operation.type == "constexpr_lut_to_dense" and "shape" in operation.attributes
    return operation.attributes["indices"] if packed else None


def _palette_bits(operation: Any) -> int:
    """Bits of one index: the palette has two to the power of so many values."""
    return (_elements(operation.attributes["lut"].type.tensorType) - 1).bit_length()


def _stored(operation: Any) -> list[Any]:
    """The values of an operation that lie in the weight blob."""
    values = [*operation.attributes.values()]
    for argument in operation.inputs.values():
        values.extend(
            binding.value for binding in argument.arguments if binding.WhichOneof("binding") == "value"
        )
    return [value for value in values if value.WhichOneof("value") == "blobFileValue"]


def _dtype(tensor: Any) -> tuple[str, int]:
    name = type(tensor).DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number[tensor.dataType].name
    return _BITS.get(name, (name.lower(), 32))


def _elements(tensor: Any) -> int:
    count = 1
    for dimension in tensor.dimensions:
        count *= dimension.constant.size
    return count
