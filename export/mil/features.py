"""A program's inputs: names, dtypes, allowed shapes, and pictures in Core ML's colour layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.errors import DeployError
from export.mil.package import FunctionSpec
from export.mil.values import type_of

_CHANNELS = {"RGB": 3, "BGR": 3, "GRAYSCALE": 1, "GRAYSCALE_FLOAT16": 1}
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Feature:
    """One input.

    ``shape`` is the default one. Other shapes are allowed when ``choices`` lists them, or when ``ranges``
    gives a least and a most (``None``: no limit) for every axis. ``color`` is set for pictures. ``default``
    fills an optional input that is not given.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    kind: str = "tensor"
    color: str | None = None
    choices: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int | None], ...] = ()
    default: float | None = None

    def allows(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of this shape may be fed."""
        wanted = tuple(shape)
        if wanted == self.shape or wanted in self.choices:
            return True
        return len(wanted) == len(self.ranges) > 0 and all(
            least <= size and (most is None or size <= most)
            for size, (least, most) in zip(wanted, self.ranges, strict=True)
        )

    def says(self) -> str:
        """The allowed shapes, in words."""
        if self.ranges:
            return ", ".join(
                str(least) if least == most else f"{least}..{'any' if most is None else most}"
                for least, most in self.ranges
            )
        shapes = self.choices or (self.shape,)
        return " or ".join(str(list(shape)) for shape in shapes)


def read_features(function: FunctionSpec) -> tuple[Feature, ...]:
    """The inputs of a function, as its MIL types and its description declare them."""
    return tuple(_feature(each, function.inputs.get(each.name)) for each in function.message.inputs)


def _feature(declared: Any, described: Any) -> Feature:
    kind = type_of(declared.type)
    fixed = tuple(size or 1 for size in kind.shape)
    if kind.kind == "state":
        return Feature(declared.name, kind.dtype, fixed, "state")
    form = described.WhichOneof("Type") if described is not None else None
    if form == "imageType":
        return _picture(declared.name, kind.dtype, described.imageType)
    if form != "multiArrayType":
        return Feature(declared.name, kind.dtype, fixed)
    array = described.multiArrayType
    flexible = array.WhichOneof("ShapeFlexibility")
    default = array.WhichOneof("defaultOptionalValue")
    return Feature(
        declared.name,
        kind.dtype,
        tuple(array.shape) if None in kind.shape and array.shape else fixed,
        choices=tuple(tuple(each.shape) for each in array.enumeratedShapes.shapes)
        if flexible == "enumeratedShapes"
        else (),
        ranges=tuple(_range(each) for each in array.shapeRange.sizeRanges)
        if flexible == "shapeRange"
        else (),
        default=float(getattr(array, default)) if default and described.isOptional else None,
    )


def _picture(name: str, dtype: str, image: Any) -> Feature:
    color = (
        type(image).DESCRIPTOR.fields_by_name["colorSpace"].enum_type.values_by_number[image.colorSpace].name
    )
    channels = _CHANNELS.get(color, 3)
    flexible = image.WhichOneof("SizeFlexibility")
    choices = tuple((1, channels, each.height, each.width) for each in image.enumeratedSizes.sizes)
    size = image.imageSizeRange
    ranges = ((1, 1), (channels, channels), _range(size.heightRange), _range(size.widthRange))
    return Feature(
        name,
        dtype,
        (1, channels, image.height, image.width),
        "image",
        color,
        choices if flexible == "enumeratedSizes" else (),
        ranges if flexible == "imageSizeRange" else (),
    )


def _range(message: Any) -> tuple[int, int | None]:
    return int(message.lowerBound), None if message.upperBound < 0 else int(message.upperBound)


def enter(feature: Feature, given: Any) -> torch.Tensor:
    """The tensor a program reads for what was fed.

    Pictures are (1, 3, H, W) RGB arrays of 0..255, (H, W, 3) uint8 arrays, or PIL images (gray models take
    one channel, or gray made of three). Like Core ML's pixel buffers they are rounded to whole numbers, and
    turned into the layout the model asks for.

    Raises:
        DeployError: ``MIL-INPUT`` for a shape the model does not allow, or values that are no numbers.
    """
    try:
        array = np.asarray(given)
        tensor = torch.from_numpy(array.astype(_carrier(array, feature.dtype)))
    except (TypeError, ValueError) as error:
        raise _refuse(feature, f"was given a {type(given).__name__}, which is no array of numbers") from error
    if feature.kind == "image":
        tensor = _to_layout(feature, tensor)
    if not feature.allows(tensor.shape):
        raise _refuse(feature, f"has the shape {list(tensor.shape)}; the model allows {feature.says()}")
    return tensor


def leave_picture(color: str, tensor: torch.Tensor) -> torch.Tensor:
    """A picture output as RGB (1, 3, H, W), or (1, 1, H, W) when it is gray."""
    return tensor.flip(1) if color == "BGR" else tensor


def color_of(described: Any) -> str | None:
    """The colour layout of an output that is a picture."""
    if described is None or described.WhichOneof("Type") != "imageType":
        return None
    image = described.imageType
    field = type(image).DESCRIPTOR.fields_by_name["colorSpace"]
    return str(field.enum_type.values_by_number[image.colorSpace].name)


def _carrier(array: NDArray[Any], dtype: str) -> type[np.generic]:
    if array.dtype.kind not in "biuf":
        raise TypeError(array.dtype)
    if dtype == "bool":
        return np.bool_
    return np.int64 if dtype.startswith(("int", "uint")) else np.float32


def _to_layout(feature: Feature, pixels: torch.Tensor) -> torch.Tensor:
    if pixels.dim() == 2:
        pixels = pixels[..., None]
    if pixels.dim() == 3:
        pixels = pixels.permute(2, 0, 1)[None]
    if pixels.dim() != 4:
        raise _refuse(feature, f"is a picture, but has the shape {list(pixels.shape)}")
    gray = _CHANNELS.get(str(feature.color), 3) == 1
    if gray and pixels.shape[1] == 3:
        weights = torch.tensor(_LUMA).reshape(1, 3, 1, 1)
        pixels = (pixels * weights).sum(1, keepdim=True)
    if not gray and pixels.shape[1] == 4:  # a picture with an alpha channel, which Core ML ignores
        pixels = pixels[:, :3]
    if feature.color == "BGR":
        pixels = pixels.flip(1)
    if feature.color != "GRAYSCALE_FLOAT16":
        pixels = pixels.round().clamp(0, 255)
    return pixels.contiguous()


def _refuse(feature: Feature, why: str) -> DeployError:
    return DeployError(
        "MIL-INPUT",
        f"The input {feature.name!r} {why}.",
        f"Feed {feature.name} as {feature.dtype} of shape {feature.says()}.",
    )
