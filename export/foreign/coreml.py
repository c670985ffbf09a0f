"""Doors of a Core ML package: its description, image inputs included, and its program for missing shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from deploy.contracts.artifact import PrecisionProof
from deploy.contracts.tensor import TensorSpec
from export.foreign.protocol import Found
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations, prove_coreml

_ARRAYS = {"FLOAT16": "float16", "FLOAT32": "float32", "INT32": "int32", "INT8": "int8"}
_COLOURS: dict[str, Literal["RGB", "BGR", "GRAY"]] = {"RGB": "RGB", "BGR": "BGR", "GRAYSCALE": "GRAY"}


class ForeignCoreML:
    """See ``export.foreign.protocol.ForeignFormat``."""

    target: ClassVar[str] = "coreml"

    @staticmethod
    def doors(model: Path) -> Found:
        """Features as (1, C, H, W) for images and as they are for arrays."""
        spec = read_spec(model)
        known = {
            value.name: tuple(d.constant.size for d in value.type.tensorType.dimensions)
            for operation in operations(spec)
            for value in operation.outputs
        }
        images = {f.name: _colour(f.type.imageType) for f in spec.description.input if _is_image(f)}
        return Found(
            tuple(_spec(feature, known) for feature in spec.description.input),
            tuple(_spec(feature, known) for feature in spec.description.output),
            images,
            {"specification_version": str(spec.specificationVersion)},
        )

    @staticmethod
    def prove(model: Path) -> PrecisionProof:
        """Count weight bytes and ops of the ML Program."""
        return prove_coreml(model)


def _is_image(feature: Any) -> bool:
    return bool(feature.type.HasField("imageType"))


def _spec(feature: Any, known: dict[str, tuple[int, ...]]) -> TensorSpec:
    if _is_image(feature):
        image = feature.type.imageType
        channels = 1 if _colour(image) == "GRAY" else 3
        return TensorSpec(name=feature.name, shape=(1, channels, image.height, image.width), dtype="uint8")
    array = feature.type.multiArrayType
    shape = tuple(array.shape) or known.get(feature.name, ())
    dtype = _enumerated(array, "dataType")
    return TensorSpec(name=feature.name, shape=shape, dtype=_ARRAYS.get(dtype, "float32"))  # type: ignore[arg-type]


def _colour(image: Any) -> Literal["RGB", "BGR", "GRAY"]:
    return _COLOURS.get(_enumerated(image, "colorSpace"), "RGB")


def _enumerated(message: Any, field: str) -> str:
    """Name of an enumeration field's value."""
    described = type(message).DESCRIPTOR.fields_by_name[field]
    name: str = described.enum_type.values_by_number[getattr(message, field)].name
    return name
