"""The socket of a folder layout, and the steps all layouts share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import MaskPrediction, Truth
from deploy.errors import DeployError
from deploy.store import sha256_bytes, sha256_file
from deploy.vision.images import read_mask, read_rgb
from training.data.samples import EvaluationSet


class Layout(Protocol):
    """A way of laying pictures and labels out in folders. ``kinds``: the decoder kinds its truth serves."""

    name: str
    kinds: tuple[str, ...]

    def recognises(self, root: Path) -> bool:
        """Whether ``root`` is laid out so; looks at names only."""
        ...

    def open(self, root: Path, class_names: tuple[str, ...] | None) -> EvaluationSet:
        """The samples below ``root``; ``class_names`` are the model's, where one is being evaluated."""
        ...


def digest_files(*paths: Path | None) -> Callable[[], str]:
    """A function that hashes the named files' contents together."""

    @cache  # validation reads every sample again and again
    def digest() -> str:
        return sha256_bytes("".join(sha256_file(path) for path in paths if path is not None).encode())

    return digest


def mask_reader(picture: Path, mask: Path | None) -> Callable[[], tuple[NDArray[np.uint8], Truth | None]]:
    """A function that reads a picture and its foreground mask; raises ``MASK-SIZE`` when sizes differ."""

    def read() -> tuple[NDArray[np.uint8], Truth | None]:
        image = read_rgb(picture)
        if mask is None:
            return image, None
        truth = read_mask(mask)
        if truth.shape != image.shape[:2]:
            raise DeployError(
                "MASK-SIZE",
                f"{mask} is {truth.shape[1]}x{truth.shape[0]} pixels and its picture {picture.name} is "
                f"{image.shape[1]}x{image.shape[0]}.",
                "Replace the mask by one of the picture's size (EXIF rotation counts).",
            )
        return image, MaskPrediction(truth)

    return read


def map_classes(
    found: tuple[str, ...], model: tuple[str, ...] | None, where: Path
) -> tuple[tuple[str, ...], list[int]]:
    """Class names to use, and for every class of the data its index among them.

    Raises:
        DeployError: ``CLASSES-DIFFER`` when the model lacks one of the data's classes.
    """
    if model is None or model == found:
        return found, list(range(len(found)))
    unknown = [name for name in found if name not in model]
    if unknown:
        raise DeployError(
            "CLASSES-DIFFER",
            f"{where} has the class {unknown[0]!r}, which the model does not know "
            f"(it knows {', '.join(model[:8])}{' ...' if len(model) > 8 else ''}).",
            "Evaluate on data with the model's classes, or rename the data's classes.",
        )
    return model, [model.index(name) for name in found]
