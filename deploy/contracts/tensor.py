"""Tensor specifications: the names, shapes and dtypes at a model's doors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploy.contracts.base import Contract

DType = Literal["float32", "float16", "int8", "uint8", "int32", "int64", "bool"]


class TensorSpec(Contract):
    """One input or output of a model file."""

    name: str = Field(min_length=1)
    shape: tuple[int, ...]
    dtype: DType = "float32"
