"""Values of an ML Program: dtypes, constants, and the torch tensors that carry them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.errors import DeployError

NUMPY: dict[str, type[np.generic]] = {
    "bool": np.bool_,
    "fp16": np.float16,
    "fp32": np.float32,
    "fp64": np.float64,
    **{f"{sign}int{bits}": getattr(np, f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""MIL dtypes that numpy has too."""

SUB_BYTE = {
    "uint1": (1, False),
    "uint2": (2, False),
    "uint3": (3, False),
    "uint4": (4, False),
    "uint6": (6, False),
    "int4": (4, True),
}
"""Packed dtypes: bits an element takes, and whether its highest bit is a sign."""

_TORCH_ONLY = {
    "bf16": (torch.bfloat16, np.int16),
    "fp8e4m3fn": (torch.float8_e4m3fn, np.int8),
    "fp8e5m2": (torch.float8_e5m2, np.int8),
}
_FLOATS = {"FLOAT16": "fp16", "FLOAT32": "fp32", "FLOAT64": "fp64", "BFLOAT16": "bf16"}
_FLOATS |= {"FLOAT8E4M3FN": "fp8e4m3fn", "FLOAT8E5M2": "fp8e5m2", "STRING": "str"}

MOST_ELEMENTS = 1 << 31
"""A declared shape with more elements is taken for a broken file (8 GiB as fp32)."""


@dataclass(frozen=True)
class ValueType:
    """Declared type of a value; ``kind`` is tensor, list, state...; unknown dimensions are ``None``."""

    kind: str
    dtype: str
    shape: tuple[int | None, ...]


class Constant:
    """A value known when the program is loaded: an array of a MIL dtype, a string, or a list of either."""

    __slots__ = ("_tensor", "dtype", "value")

    def __init__(self, value: Any, dtype: str) -> None:
        self.value = value
        self.dtype = dtype
        self._tensor: torch.Tensor | None = None

    def carried(self) -> Any:
        """What ops read: a tensor (made once); a string or a list stays itself."""
        if not isinstance(self.value, np.ndarray) or self.value.dtype.kind in "UO":
            return self.python()
        if self._tensor is None:
            self._tensor = carry(self.value)
        return self._tensor

    def python(self) -> Any:
        """The value as Python numbers, strings and nested lists."""
        return self.value.tolist() if isinstance(self.value, np.ndarray) else self.value


def carry(array: NDArray[Any]) -> torch.Tensor:
    """The tensor that carries an array: fp32 for floats, int64 for integers, bool for bools (a copy)."""
    if array.dtype == np.bool_:
        return torch.from_numpy(np.array(array))
    if array.dtype.kind == "f":
        return torch.from_numpy(np.array(array, np.float32))
    return torch.from_numpy(np.array(array, np.int64))


def dtype_name(tensor_type: Any) -> str:
    """Name of a ``TensorType`` message's dtype: ``fp16``, ``int8``, ``uint4``, ``bool``, ``str``..."""
    field = type(tensor_type).DESCRIPTOR.fields_by_name["dataType"]
    found = field.enum_type.values_by_number.get(tensor_type.dataType)
    if found is None:
        raise broken(f"it names a dtype with the unknown number {tensor_type.dataType}")
    name = str(found.name)
    return _FLOATS.get(name, name.lower())


def type_of(message: Any) -> ValueType:
    """Read a ``ValueType`` message; a state has the type it wraps, a list that of its elements."""
    kind = message.WhichOneof("type")
    if kind == "tensorType":
        tensor = message.tensorType
        shape = tuple(
            int(each.constant.size) if each.WhichOneof("dimension") == "constant" else None
            for each in tensor.dimensions
        )
        return ValueType("tensor", dtype_name(tensor), shape)
    if kind == "stateType":
        inner = type_of(message.stateType.wrappedType)
        return ValueType("state", inner.dtype, inner.shape)
    if kind == "listType":
        inner = type_of(message.listType.type)
        return ValueType("list", inner.dtype, inner.shape)
    return ValueType(str(kind).removesuffix("Type"), "", ())


def element_count(shape: Sequence[int | None]) -> int:
    """Number of elements; ``PACKAGE-BROKEN`` for an unknown, negative or absurd size."""
    if any(size is None or size < 0 for size in shape):
        raise broken("a constant has an unknown dimension")
    count = math.prod(size for size in shape if size is not None)
    if count > MOST_ELEMENTS:
        raise broken(f"a constant claims {count} elements")
    return count


def byte_count(dtype: str, count: int) -> int:
    """Bytes that ``count`` elements take when stored; sub-byte dtypes are packed without gaps."""
    if dtype in SUB_BYTE:
        return (count * SUB_BYTE[dtype][0] + 7) // 8
    if dtype in _TORCH_ONLY:
        return count * np.dtype(_TORCH_ONLY[dtype][1]).itemsize
    if dtype not in NUMPY:
        raise broken(f"a constant has the dtype {dtype!r}, which no weight can have")
    return count * np.dtype(NUMPY[dtype]).itemsize


def unpack_bits(raw: NDArray[np.uint8], bits: int, count: int, signed: bool = False) -> NDArray[Any]:
    """Unpack ``count`` elements of ``bits`` bits each, least significant bit first, across byte borders."""
    flat = np.unpackbits(raw, bitorder="little")[: count * bits].reshape(count, bits)
    values: NDArray[Any] = (flat.astype(np.int16) << np.arange(bits, dtype=np.int16)).sum(1)
    if signed:
        values = np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
    return values.astype(np.int8 if signed else np.uint8)


def decode(raw: NDArray[np.uint8], dtype: str, shape: Sequence[int | None]) -> NDArray[Any]:
    """Stored little-endian bytes as an array; ``PACKAGE-BROKEN`` when there are too few of them."""
    count = element_count(shape)
    needed = byte_count(dtype, count)
    if raw.size < needed:
        raise broken(f"a constant of {needed} bytes has only {raw.size}")
    raw = np.ascontiguousarray(raw[:needed])
    sizes = tuple(int(size or 0) for size in shape)
    if dtype in SUB_BYTE:
        bits, signed = SUB_BYTE[dtype]
        return unpack_bits(raw, bits, count, signed).reshape(sizes)
    if dtype in _TORCH_ONLY:
        wide, store = _TORCH_ONLY[dtype]
        widened = torch.from_numpy(raw.view(store).copy()).view(wide).float()
        return np.asarray(widened.numpy().reshape(sizes))
    plain: NDArray[Any] = raw.view(np.dtype(NUMPY[dtype])).reshape(sizes)
    return plain


def immediate(message: Any, kind: ValueType) -> Constant:
    """A constant written into the spec itself (``ImmediateValue``)."""
    form = message.WhichOneof("value")
    if form in ("list", "tuple"):
        parts = getattr(message, form).values
        return Constant([immediate(p.immediateValue, type_of(p.type)).python() for p in parts], kind.dtype)
    if form != "tensor":
        raise broken(f"it holds a constant of the kind {form}")
    tensor = message.tensor
    field = tensor.WhichOneof("value")
    if field == "bytes":
        return Constant(
            decode(np.frombuffer(tensor.bytes.values, np.uint8), kind.dtype, kind.shape), kind.dtype
        )
    values = list(getattr(tensor, field).values) if field else []
    if kind.dtype == "str":
        return Constant(values[0] if not kind.shape and values else values, "str")
    count = element_count(kind.shape)
    if len(values) != count:
        raise broken(f"a constant of shape {list(kind.shape)} has {len(values)} elements")
    if kind.dtype not in NUMPY:
        raise broken(f"a constant of dtype {kind.dtype!r} is written as plain numbers")
    try:
        array = np.array(values, NUMPY[kind.dtype]).reshape([int(size or 0) for size in kind.shape])
    except OverflowError as error:
        raise broken(f"a constant does not fit its dtype {kind.dtype}") from error
    return Constant(array, kind.dtype)


def broken(what: str) -> DeployError:
    """The error for a package whose content contradicts itself."""
    return DeployError(
        "PACKAGE-BROKEN",
        f"The Core ML package is damaged: {what}.",
        "Export it again, or copy the whole .mlpackage folder anew.",
    )
