"""Golden samples: the arrays that travel with an artifact, and the same arrays on their way to converters."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import Golden, GoldenClip, GoldenSample, GoldenTensor
from deploy.contracts.preprocess import Preprocess
from deploy.store import sha256_bytes, sha256_tree
from deploy.vision.geometry import Geometry
from deploy.vision.images import write_png
from deploy.vision.preprocess import prepare
from export.samples import Picture
from training.data.clips import Clip

GOLDEN = "golden"
_MOST_BYTES = 24 << 20
_MOST_SAMPLES = 4
_CLIP_FPS = 30.0

Tensors = Mapping[str, NDArray[np.generic]]


def save_arrays(path: Path, pictures: Sequence[Picture], references: Sequence[Tensors]) -> None:
    """Write all samples' inputs and reference outputs as one ``.npz`` for the converters."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for index, (picture, reference) in enumerate(zip(pictures, references, strict=True)):
        arrays |= {f"in.{index}.{name}": value for name, value in picture.inputs.items()}
        arrays |= {f"out.{index}.{name}": value for name, value in reference.items()}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load_arrays(
    path: Path, count: int
) -> tuple[list[dict[str, NDArray[np.generic]]], list[dict[str, NDArray[np.generic]]]]:
    """Read what ``save_arrays`` wrote: inputs and reference outputs by name, per sample."""
    inputs: list[dict[str, NDArray[np.generic]]] = [{} for _ in range(count)]
    outputs: list[dict[str, NDArray[np.generic]]] = [{} for _ in range(count)]
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            side, index, name = key.split(".", 2)
            (inputs if side == "in" else outputs)[int(index)][name] = archive[key]
    return inputs, outputs


def save_geometry(path: Path, pictures: Sequence[Picture]) -> None:
    """Write the placements of the samples' pictures."""
    path.write_text(json.dumps([asdict(picture.geometry) for picture in pictures if picture.geometry]))


def load_geometry(path: Path) -> list[Geometry | None]:
    """Read what ``save_geometry`` wrote."""
    return [
        Geometry(**{key: tuple(value) for key, value in entry.items()})
        for entry in json.loads(path.read_text())
    ]


def write_golden(
    folder: Path,
    pictures: Sequence[Picture],
    references: Sequence[Tensors],
    preprocess: Preprocess | None,
    clip: Clip | None,
    tolerance_db: float,
) -> Golden:
    """Write ``golden/`` into an artifact folder: pictures, exact inputs, the reference's outputs, and a clip.

    At most four samples and 24 MiB (always at least one). Inputs are made anew from the pictures with the
    artifact's own ``preprocess``, because an image input takes raw pixels where a tensor input takes
    normalised ones.
    """
    (folder / GOLDEN).mkdir()
    samples: list[GoldenSample] = []
    written = 0
    for picture, reference in zip(pictures[:_MOST_SAMPLES], references, strict=False):
        inputs: Tensors = picture.inputs
        if preprocess is not None and picture.image is not None:
            inputs = {preprocess.input_name: prepare(picture.image, preprocess)[0]}
        size = sum(value.nbytes for value in (*inputs.values(), *reference.values()))
        if samples and written + size > _MOST_BYTES:
            break
        written += size
        samples.append(_sample(folder, len(samples), picture, inputs, reference))
    return Golden(samples=tuple(samples), clip=_clip(folder, clip), sqnr_db=tolerance_db)


def _sample(folder: Path, index: int, picture: Picture, inputs: Tensors, reference: Tensors) -> GoldenSample:
    stem = f"{GOLDEN}/{index:02d}"
    image = image_sha = None
    if picture.image is not None:
        image = f"{stem}.png"
        write_png(folder / image, picture.image)
        image_sha = sha256_bytes((folder / image).read_bytes())
    return GoldenSample(
        id=picture.id,
        image=image,
        image_sha256=image_sha,
        inputs=tuple(_tensor(folder, f"{stem}.in.{name}.npy", name, value) for name, value in inputs.items()),
        outputs=tuple(
            _tensor(folder, f"{stem}.out.{name}.npy", name, value) for name, value in reference.items()
        ),
    )


def _tensor(folder: Path, file: str, name: str, value: NDArray[np.generic]) -> GoldenTensor:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(value), allow_pickle=False)
    payload = buffer.getvalue()
    (folder / file).write_bytes(payload)
    return GoldenTensor(name=name, file=file, sha256=sha256_bytes(payload))


def _clip(folder: Path, clip: Clip | None) -> GoldenClip | None:
    if clip is None:
        return None
    root = folder / GOLDEN / "clip"
    frames, masks = [], []
    for index, (frame, mask) in enumerate(zip(clip.frames, clip.masks, strict=True)):
        frames.append(f"{GOLDEN}/clip/images/{index:05d}.png")
        masks.append(f"{GOLDEN}/clip/masks/{index:05d}.png")
        write_png(folder / frames[-1], frame)
        write_png(folder / masks[-1], mask.astype(np.uint8) * 255)
    return GoldenClip(
        frames=tuple(frames), masks=tuple(masks), frames_per_second=_CLIP_FPS, sha256=sha256_tree(root)
    )
