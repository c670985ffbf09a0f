"""Folds compressed weights (every ``constexpr_*`` op) into plain arrays when a program is loaded.

Formulas are those of coremltools' op definitions for iOS 16 (flat, attributes) and iOS 18 (shaped, inputs).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.mil.values import NUMPY, Constant, broken, element_count, unpack_bits

Constants = Mapping[str, Constant]
Array = NDArray[Any]


def fold(kind: str, inputs: Constants) -> tuple[Constant, ...]:
    """The outputs of one ``constexpr_*`` op.

    Raises:
        DeployError: ``PACKAGE-BROKEN`` when inputs are missing or do not fit each other.
        KeyError: the op is none of ``FOLDS``.
    """
    function = FOLDS[kind]
    try:
        return function(inputs)
    except (KeyError, ValueError, IndexError, ZeroDivisionError) as error:
        raise broken(f"the inputs of {kind} do not fit each other ({error})") from error


def _affine(inputs: Constants) -> tuple[Constant, ...]:
    """``scale * (quantized_data - zero_point)``; vectors run along ``axis``."""
    data = _wide(inputs["quantized_data"])
    scale, axis = inputs["scale"], int(inputs["axis"].value)
    shape = [1] * data.ndim
    shape[axis] = -1
    factor, zero = (
        _wide(each).reshape(shape if np.ndim(each.value) else ()) for each in (scale, inputs["zero_point"])
    )
    return (_typed((data - zero) * factor, scale.dtype),)


def _blockwise(inputs: Constants) -> tuple[Constant, ...]:
    """``scale * (data - offset)``, every block of the data with its own scale and offset."""
    return (_typed(_shift_scale(_wide(inputs["data"]), inputs), inputs["scale"].dtype),)


def _lut(inputs: Constants) -> tuple[Constant, ...]:
    """A palette's entries in place of its indices."""
    lut, indices = inputs["lut"], inputs["indices"]
    if "shape" in inputs:  # iOS 16: packed indices, one palette for the whole tensor
        shape = [int(size) for size in inputs["shape"].value]
        bits = round(math.log2(lut.value.size))
        found = unpack_bits(_raw(indices), bits, element_count(shape))
        return (Constant(lut.value.reshape(-1)[found].reshape(shape), lut.dtype),)
    return (Constant(_look_up(lut.value, indices.value, inputs.get("vector_axis")), lut.dtype),)


def _sparse(inputs: Constants) -> tuple[Constant, ...]:
    """Non-zero values put where the mask has ones."""
    values, mask = inputs["nonzero_data"], inputs["mask"]
    if "shape" in inputs:  # iOS 16: packed mask
        shape = [int(size) for size in inputs["shape"].value]
        bits = unpack_bits(_raw(mask), 1, element_count(shape)).reshape(shape)
    else:
        bits = mask.value
    return (Constant(_spread(values.value, bits), values.dtype),)


def _cast(inputs: Constants) -> tuple[Constant, ...]:
    """fp16 as fp32."""
    dtype = str(inputs["output_dtype"].value) if "output_dtype" in inputs else "fp32"
    return (_typed(_wide(inputs["source_val"]), dtype),)


def _lut_to_sparse(inputs: Constants) -> tuple[Constant, ...]:
    """Palette entries of the non-zero values, and the mask of where they belong (widened for vectors)."""
    mask, lut, axis = inputs["indices_mask"].value, inputs["lut"], inputs.get("vector_axis")
    dense = _look_up(lut.value, _spread(inputs["indices_nonzero_data"].value, mask), axis)
    width = lut.value.shape[-1]
    if width > 1:
        assert axis is not None  # _look_up has refused its absence
        mask = np.repeat(mask, width, int(axis.value))
    return Constant(mask, "uint1"), Constant(dense[mask != 0], lut.dtype)


def _sparse_blockwise(inputs: Constants) -> tuple[Constant, ...]:
    """Block-wise dequantised non-zero values, and their mask."""
    mask = inputs["data_mask"].value
    dense = _shift_scale(_spread(_wide(inputs["nonzero_data"]), mask), inputs)
    return Constant(mask, "uint1"), _typed(dense[mask != 0], inputs["scale"].dtype)


def _shift_scale(data: Array, inputs: Constants) -> Array:
    scale = _wide(inputs["scale"])
    offset = _wide(inputs["offset"]) if "offset" in inputs else None
    for axis, (size, blocks) in enumerate(zip(data.shape, scale.shape, strict=True)):
        if size % blocks:
            raise ValueError(f"{blocks} scales for {size} elements")
        scale = np.repeat(scale, size // blocks, axis)
        offset = None if offset is None else np.repeat(offset, size // blocks, axis)
    return (data if offset is None else data - offset) * scale


def _look_up(lut: Array, indices: Array, vector_axis: Constant | None) -> Array:
    """Entries of grouped palettes: ``lut`` is (groups of every axis..., entries, vector length)."""
    spread = lut
    for axis, (size, groups) in enumerate(zip(indices.shape, lut.shape[:-2], strict=True)):
        if size % groups:
            raise ValueError(f"{groups} palettes for {size} elements")
        spread = np.repeat(spread, size // groups, axis)
    chosen = np.take_along_axis(spread, indices.astype(np.int64)[..., None, None], axis=indices.ndim)
    vectors = chosen[..., 0, :]
    if lut.shape[-1] == 1:
        return np.asarray(vectors[..., 0])
    if vector_axis is None:
        raise ValueError("palette entries are vectors, but there is no vector_axis")
    axis = int(vector_axis.value) % indices.ndim
    shape = list(indices.shape)
    shape[axis] *= lut.shape[-1]
    return np.moveaxis(vectors, -1, axis + 1).reshape(shape)


def _spread(values: Array, mask: Array) -> Array:
    dense = np.zeros(mask.shape, values.dtype)
    dense[mask != 0] = values
    return dense


def _wide(constant: Constant) -> Array:
    return np.asarray(constant.value, np.float32)


def _raw(constant: Constant) -> NDArray[np.uint8]:
    return np.ascontiguousarray(constant.value, np.uint8).reshape(-1)


def _typed(array: Array, dtype: str) -> Constant:
    return Constant(array.astype(NUMPY[dtype]), dtype)


FOLDS: dict[str, Callable[[Constants], tuple[Constant, ...]]] = {
    "constexpr_affine_dequantize": _affine,
    "constexpr_blockwise_shift_scale": _blockwise,
    "constexpr_cast": _cast,
    "constexpr_lut_to_dense": _lut,
    "constexpr_lut_to_sparse": _lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": _sparse_blockwise,
    "constexpr_sparse_to_dense": _sparse,
}
"""Op type to the function that folds it."""
