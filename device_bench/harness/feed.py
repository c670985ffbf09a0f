"""What the model is fed: decoded pictures held in memory, or golden tensors where no picture fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import GoldenSample
from deploy.contracts.plan import BenchPlan
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.vision.geometry import Geometry
from deploy.vision.images import read_rgb
from deploy.vision.preprocess import prepare

Tensors = Mapping[str, NDArray[np.generic]]

POOL_BYTES = 128 << 20
"""Decoded pictures kept for the timed loop; more would be counted as the model's own memory."""


class Feed(Protocol):
    """A pool of frames; ``inputs`` is the preprocess stage that is timed."""

    def __len__(self) -> int: ...

    def inputs(self, index: int) -> tuple[Tensors, Geometry | None]:
        """Model inputs of frame ``index`` (taken round and round) and where its picture lies in them."""
        ...


class PictureFeed:
    """Pictures, uint8 (H, W, 3) RGB each, preprocessed as declared every time they are asked for."""

    def __init__(self, pictures: list[NDArray[np.uint8]], preprocess: Preprocess, others: Tensors) -> None:
        self._pictures = pictures
        self._spec = preprocess
        self._others = {name: value for name, value in others.items() if name != preprocess.input_name}

    def __len__(self) -> int:
        return len(self._pictures)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """The picture itself, taken round and round."""
        return self._pictures[index % len(self._pictures)]

    def inputs(self, index: int) -> tuple[Tensors, Geometry | None]:
        """See ``Feed``."""
        tensor, geometry = prepare(self.picture(index), self._spec)
        return {**self._others, self._spec.input_name: tensor}, geometry


class TensorFeed:
    """Golden inputs as they are; the preprocess stage is then empty."""

    def __init__(self, tensors: list[Tensors], geometry: Geometry | None) -> None:
        self._tensors = tensors
        self._geometry = geometry

    def __len__(self) -> int:
        return len(self._tensors)

    def inputs(self, index: int) -> tuple[Tensors, Geometry | None]:
        """See ``Feed``."""
        return self._tensors[index % len(self._tensors)], self._geometry


def golden_inputs(folder: Path, sample: GoldenSample) -> dict[str, NDArray[np.generic]]:
    """Stored inputs of a golden sample by name; raises ``GOLDEN-UNREADABLE``."""
    return {tensor.name: load_tensor(folder / tensor.file) for tensor in sample.inputs}


def load_tensor(path: Path) -> NDArray[np.generic]:
    """A golden ``.npy`` file; pickles are refused."""
    try:
        value: NDArray[np.generic] = np.ascontiguousarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise DeployError(
            "GOLDEN-UNREADABLE", f"{path.name} cannot be read ({error}).", "Export the model again."
        ) from error
    return value


def open_feed(plan: BenchPlan, folder: Path) -> Feed:
    """The frames of the timed loop: clip frames if there are any, else golden pictures, else golden tensors.

    Raises:
        DeployError: ``NO-FRAMES`` when the plan holds nothing to feed.
    """
    golden = [golden_inputs(folder, sample) for sample in plan.golden.samples]
    spec = plan.preprocess
    if spec is not None:
        files = [folder / frame.file for clip in plan.clips for frame in clip.frames]
        files = files or [folder / sample.image for sample in plan.golden.samples if sample.image]
        if files:
            return PictureFeed(_preload(files), spec, golden[0] if golden else {})
    if not golden:
        raise DeployError(
            "NO-FRAMES",
            f"The plan of {plan.artifact} holds neither clips nor golden samples.",
            "Give pictures with --clip, or export again with golden samples.",
        )
    return TensorFeed(list(golden), _whole(spec))


def _whole(spec: Preprocess | None) -> Geometry | None:
    """The geometry of a picture that already has the input's size."""
    if spec is None:
        return None
    size = (spec.height, spec.width)
    return Geometry(size, size, (1.0, 1.0), (0.0, 0.0))


def _preload(files: list[Path]) -> list[NDArray[np.uint8]]:
    """Decode pictures in order until the pool is full; at least one."""
    pictures: list[NDArray[np.uint8]] = []
    used = 0
    for path in files:
        picture = read_rgb(path)
        used += picture.nbytes
        if pictures and used > POOL_BYTES:
            break
        pictures.append(picture)
    return pictures
