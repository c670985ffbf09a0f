"""The ways a file is broken on purpose: mistakes that converters, quantizers and apps have really made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.contracts.preprocess import Preprocess
from export.selftest.protocol import Corruptor, Layer

_IMAGENET = {1: (0.449,), 3: (0.485, 0.456, 0.406)}


class NotApplicable(Exception):  # noqa: N818 - it is an answer, not an error
    """A corruption that would change nothing in this model, and why."""


def zeroed_weights(corruptor: Corruptor, layer: Layer) -> None:
    """A layer whose weights were lost: all zero."""
    weight = corruptor.read(layer.weight)
    if not weight.any():
        raise NotApplicable(f"the weights of {layer.name} are zero already")
    corruptor.write(layer.weight, weight * 0)


def swapped_channels(corruptor: Corruptor, layer: Layer) -> None:
    """Output channels in another order: rolled by half, as a layout mistake does."""
    weight = corruptor.read(layer.weight)
    axis = layer.axis % weight.ndim
    rolled = np.roll(weight, max(1, weight.shape[axis] // 2), axis)
    if np.array_equal(rolled, weight):
        raise NotApplicable(f"{layer.name} has one output channel, or all of them are the same")
    corruptor.write(layer.weight, rolled)


def dropped_bias(corruptor: Corruptor, layer: Layer) -> None:
    """A bias that was not carried over."""
    bias = None if layer.bias is None else corruptor.read(layer.bias)
    if bias is None or not bias.any():
        raise NotApplicable(f"{layer.name} has no bias")
    assert layer.bias is not None
    corruptor.write(layer.bias, bias * 0)


def doubled_scale(corruptor: Corruptor, layer: Layer) -> None:
    """A scale that is wrong by two: the quantization scale, or float weights themselves."""
    key = layer.scale or layer.weight
    value = corruptor.read(key)
    if value.dtype.kind != "f":
        raise NotApplicable(f"the scale of {layer.name} is not stored as numbers of its own")
    corruptor.write(key, value * value.dtype.type(2))


Edit = Callable[[Corruptor, Layer], None]

IN_FILE: dict[str, Edit] = {
    "zeroed weights": zeroed_weights,
    "swapped channels": swapped_channels,
    "dropped bias": dropped_bias,
    "doubled scale": doubled_scale,
}
WRONG_PICTURE = "wrong preprocess"
"""The one corruption that is the app's, not the file's."""


def wrong_preprocess(block: Preprocess) -> tuple[Preprocess, str]:
    """The block as an app would get it wrong, and what was done.

    A tensor input loses its mean, or gets ImageNet's where it has none. An image input, whose file normalises
    inside, is normalised a second time.
    """
    if block.input_kind == "image":
        return block.model_copy(update={"input_kind": "tensor"}), "normalised twice"
    if any(block.mean):
        return block.model_copy(update={"mean": (0.0,) * block.channels}), "mean left out"
    mean = tuple(value * 255 / block.divisor for value in _IMAGENET[block.channels])
    return block.model_copy(update={"mean": mean}), "ImageNet's mean taken off"


def candidates(layers: list[Layer]) -> list[Layer]:
    """Layers to try a corruption on: the first, the last and those at the quarters between, in order."""
    places = sorted({round(share * (len(layers) - 1)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)})
    return [layers[place] for place in places] if layers else []


def write_corrupted(kind: type[Corruptor], model: Path, edit: Edit, layer: Layer, path: Path) -> None:
    """Write a copy of ``model`` with one layer broken; ``NotApplicable`` where that changes nothing."""
    corruptor = kind(model)
    edit(corruptor, next(each for each in corruptor.layers() if each == layer))
    corruptor.save(path)
