"""A small detector of coloured squares with a YOLO head, exported as a user's own model is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tiling import Tiling
from deploy.store import write_json
from export.build import build
from export.request import ExportRequest

SIZE = 64
STRIDE = 8
PREPROCESS = Preprocess(input_name="image", width=SIZE, height=SIZE, resize="letterbox")
DECODE = YoloDecode(output="head", class_names=("red", "blue"), iou=0.5)
TILING = Tiling(width=SIZE, height=SIZE, overlap=0.25)


class Spots(nn.Module):
    """Scores of every 8x8 cell from how much redder or bluer it is; its box is twice as wide as the colour.

    image (1, 3, 64, 64) to head (1, 4 + 2, 64): cx cy w h in pixels, two scores.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.mix.weight.copy_(torch.tensor([[8.0, -8, -8], [-8, -8, 8]]).reshape(2, 3, 1, 1))
            self.mix.bias.fill_(-2.0)
        steps = torch.arange(SIZE // STRIDE) * STRIDE + STRIDE / 2
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        self.register_buffer("centres", torch.stack([x, y]).reshape(1, 2, -1))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        cells = functional.avg_pool2d(self.mix(image), STRIDE)
        scores = torch.sigmoid(cells).flatten(2)
        side = STRIDE * (1 + scores.amax(1, keepdim=True))
        return {"head": torch.cat([self.centres, side, side, scores], 1)}


def build_spots() -> nn.Module:
    """For ``deploy export tests.deploy.tiled.spots:build_spots``."""
    return Spots()


def scene(seed: int, size: tuple[int, int] = (150, 210)) -> NDArray[np.uint8]:
    """Grey noise with red and blue squares of 8 to 14 pixels: uint8 (H, W, 3) RGB."""
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 130, (*size, 3), dtype=np.uint8)
    for index in range(14):
        side = int(rng.integers(8, 15))
        top, left = (int(rng.integers(0, limit - side)) for limit in size)
        image[top : top + side, left : left + side] = (230, 20, 20) if index % 2 else (20, 20, 230)
    return image


def export_spots(
    root: Path,
    targets: tuple[str, ...] = ("onnx",),
    tiling: Tiling | None = TILING,
    nms: Literal["app", "graph"] = "app",
) -> dict[str, Path]:
    """Export it and return the artifact folders by target; ``torch`` is the reference."""
    write_json(root / "preprocess.json", PREPROCESS.to_json())
    write_json(root / "decode.json", DECODE.to_json())
    request = ExportRequest(
        spec="tests.deploy.tiled.spots:build_spots",
        targets=targets,
        precisions=("fp32",),
        out=root / "artifacts",
        name="spots",
        inputs=(("image", (1, 3, SIZE, SIZE)),),
        preprocess=root / "preprocess.json",
        decode=root / "decode.json",
        tiling=tiling,
        nms=nms,
        sample_count=2,
    )
    built = build(request)
    for each in built:
        assert each.folder is not None, each.row
    return {each.target: each.folder for each in built if each.folder is not None}
