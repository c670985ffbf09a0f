"""What ``deploy run`` feeds: arrays and pictures that were named, or an artifact's golden samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import Exported
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from export.mil.features import Feature
from export.mil.program import MilProgram


@dataclass(frozen=True)
class Sample:
    """Inputs by name, and the outputs expected of them (none: nothing to compare)."""

    name: str
    inputs: dict[str, Any]
    expected: dict[str, NDArray[Any]] = field(default_factory=dict)


def golden_samples(exported: Exported) -> list[Sample]:
    """The golden samples of an artifact, with the fp32 reference's outputs."""
    return [
        Sample(
            sample.id,
            {each.name: load_array(exported.folder / each.file) for each in sample.inputs},
            {each.name: load_array(exported.folder / each.file) for each in sample.outputs},
        )
        for sample in exported.artifact.golden.samples
    ]


def typed_sample(
    program: MilProgram,
    inputs: Sequence[str],
    images: Sequence[str],
    expected: Path | None,
    preprocess: Preprocess | None,
) -> Sample:
    """The sample that the command line describes.

    Args:
        inputs: ``FILE.npy`` or ``NAME=FILE.npy``. images: the same with pictures.
        expected: ``.npy`` of the only output.
        preprocess: an artifact's, for pictures that go into a tensor input.

    Raises:
        DeployError: ``INPUT-NAME`` when a name is needed, ``INPUT-UNREADABLE``, ``INPUT-IS-TENSOR``.
    """
    free = [each for each in program.inputs if each.kind != "state"]
    feed: dict[str, Any] = {}
    for text in inputs:
        feature, path = _named(text, free)
        feed[feature.name] = load_array(path)
    for text in images:
        feature, path = _named(text, [each for each in free if each.kind == "image"] or free)
        feed[feature.name] = _picture(path, feature, preprocess)
    if expected is None:
        return Sample("typed", feed)
    if len(program.outputs) != 1:
        raise DeployError(
            "INPUT-NAME",
            f"{expected} cannot be compared: the program has {len(program.outputs)} outputs.",
            "Compare with an artifact's folder, or save outputs with --out and compare those.",
        )
    return Sample("typed", feed, {program.outputs[0]: load_array(expected)})


def load_array(path: Path) -> NDArray[Any]:
    """An array from a ``.npy`` file; ``INPUT-UNREADABLE`` when it is none."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, "array", "Save it with numpy.save.") from error
    if not isinstance(found, np.ndarray):
        raise _unreadable(path, "single array", "Save it with numpy.save, one array a file.")
    return found


def _named(text: str, features: Sequence[Feature]) -> tuple[Feature, Path]:
    """``NAME=FILE``; the name may be left out when there is only one input to choose from."""
    name, given, rest = text.partition("=")
    for feature in features:
        if given and feature.name == name:
            return feature, Path(rest)
    if len(features) == 1 and (not given or Path(text).exists()):
        return features[0], Path(text)
    raise DeployError(
        "INPUT-NAME",
        f"{text!r} does not say which input it is for.",
        f"Write NAME=FILE with one of these names: {', '.join(each.name for each in features) or 'none'}.",
    )


def _picture(path: Path, feature: Feature, preprocess: Preprocess | None) -> NDArray[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = np.asarray(opened.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise _unreadable(path, "picture", "Name a PNG or JPEG file.") from error
    if preprocess is not None and preprocess.input_name == feature.name:
        from deploy.vision.preprocess import prepare

        return prepare(image, preprocess)[0]
    if feature.kind != "image":
        raise DeployError(
            "INPUT-IS-TENSOR",
            f"The input {feature.name!r} takes a tensor, and nothing says how to make one of a picture.",
            "Run the artifact's folder, which knows its preprocessing, or give an array with --input.",
        )
    if not feature.allows((1, 3, *image.shape[:2])) and not feature.allows((1, 1, *image.shape[:2])):
        height, width = feature.shape[-2:]
        with Image.fromarray(image) as whole:
            image = np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR))
    return image


def _unreadable(path: Path, what: str, remedy: str) -> DeployError:
    return DeployError("INPUT-UNREADABLE", f"{path} is missing, or no {what}.", remedy)
