"""A hand-made ONNX artifact that finds bright pixels, with its reference and a clip whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deploy.contracts.artifact import (
    MANIFEST,
    Artifact,
    Golden,
    GoldenClip,
    GoldenSample,
    GoldenTensor,
    Parity,
    PrecisionProof,
    Source,
)
from deploy.contracts.decode import BinaryMaskDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.store import sha256_file
from deploy.vision.images import write_png
from deploy.vision.preprocess import prepare

SIZE = 32
FRAMES = 8
PREPROCESS = Preprocess(input_name="image", width=SIZE, height=SIZE)

MakeArtifact = Callable[..., Path]
"""Builds an artifact folder by name; keyword arguments as ``build_artifact``."""


def picture(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture uint8 (48, 64, 3) with a bright disc that moves 2 px a frame, and its mask bool (48, 64)."""
    rows, columns = np.mgrid[:48, :64]
    mask = (rows - 24) ** 2 + (columns - 14 - 2 * index) ** 2 <= 100
    noise = np.random.default_rng(index).integers(0, 60, (48, 64, 3))
    return np.where(mask[..., None], 200, 0).astype(np.uint8) + noise.astype(np.uint8) // 2, mask


def save_model(path: Path, bias: float = -10.0, delay_layers: int = 0) -> None:
    """A 1x1 convolution: logit = 20 * mean(rgb) + bias; ``delay_layers`` adds work that changes nothing."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "w": np.full((1, 3, 1, 1), 20 / 3, np.float32),
        "b": np.array([bias], np.float32),
    }
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["logits" if not delay_layers else "x0"])]
    for layer in range(delay_layers):
        name = "logits" if layer == delay_layers - 1 else f"x{layer + 1}"
        nodes.append(helper.make_node("Identity", [f"x{layer}"], [name]))
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, SIZE, SIZE])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def save_clip(folder: Path) -> tuple[list[str], list[str]]:
    """Write frames/ and masks/; names relative to ``folder``."""
    frames, masks = [], []
    for index in range(FRAMES):
        image, mask = picture(index)
        write_png(folder / "frames" / f"{index:05d}.png", image)
        write_png(folder / "masks" / f"{index:05d}.png", mask.astype(np.uint8) * 255)
        frames.append(f"frames/{index:05d}.png")
        masks.append(f"masks/{index:05d}.png")
    return frames, masks


def golden_tensor(folder: Path, name: str, value: np.ndarray) -> GoldenTensor:
    """Store a tensor below golden/ and describe it."""
    path = folder / "golden" / f"{name}.npy"
    path.parent.mkdir(exist_ok=True)
    np.save(path, value)
    return GoldenTensor(name=name, file=f"golden/{name}.npy", sha256=sha256_file(path))


def build_artifact(
    folder: Path,
    *,
    role: str = "export",
    bias: float = -10.0,
    reference_sha256: str | None = None,
    clip: bool = True,
    **changes: Any,
) -> Path:
    """An artifact folder. ``changes`` replace manifest fields."""
    folder.mkdir(parents=True)
    save_model(folder / "model.onnx", bias)
    image, _ = picture(0)
    write_png(folder / "golden-0.png", image)
    tensor, _ = prepare(image, PREPROCESS)
    logits = (tensor.mean(axis=1, keepdims=True) * 20 + bias).astype(np.float32)
    sample = GoldenSample(
        id="0",
        image="golden-0.png",
        image_sha256=sha256_file(folder / "golden-0.png"),
        inputs=(golden_tensor(folder, "image", tensor),),
        outputs=(golden_tensor(folder, "logits", logits),),
    )
    frames, masks = save_clip(folder) if clip else ([], [])
    digest = sha256_file(folder / "model.onnx")
    golden_clip = GoldenClip(
        frames=tuple(frames), masks=tuple(masks), frames_per_second=30.0, sha256="0" * 64
    )
    artifact = Artifact(
        **{
            "name": folder.name,
            "role": role,
            "target": "onnx",
            "precision": "fp32",
            "task": "binary_masks",
            "model_file": "model.onnx",
            "model_sha256": digest,
            "model_bytes": (folder / "model.onnx").stat().st_size,
            "inputs": (TensorSpec(name="image", shape=(1, 3, SIZE, SIZE)),),
            "outputs": (TensorSpec(name="logits", shape=(1, 1, SIZE, SIZE)),),
            "preprocess": PREPROCESS,
            "decode": BinaryMaskDecode(output="logits"),
            "source": Source(spec="bright.py", kind="code", weights_sha256="0" * 64),
            "reference_sha256": reference_sha256 or digest,
            "proof": PrecisionProof(weight_bytes={"float32": 16}, ops={"float32": 1}, total_ops=1),
            "parity": Parity(status="PASS", samples=1),
            "golden": Golden(samples=(sample,), clip=golden_clip if clip else None, sqnr_db=40.0),
            "deployment": {},
            "toolchain": {},
            "cache_key": "0" * 64,
            "seed": 0,
            "export_ms": 100,
            **changes,
        }
    )
    artifact.save(folder / MANIFEST)
    return folder
