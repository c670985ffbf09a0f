"""Toy packages for quantized exports: a small detector, pictures to calibrate on, and files by precision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.contracts.artifact import Artifact
from deploy.vision.images import write_png
from export.build import Built
from export.request import ExportRequest
from export.runners import runner_for
from tests.export import fakes
from tests.export.toys import NETS, Toy, export, make_toy

DETECTOR = '''

class Detector(nn.Module):
    """A detector's end: boxes from a softmax integral beside an anchor grid, and scores, in one tensor."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Conv2d(3, 64, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(64)
        self.body = nn.Conv2d(64, 320, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(320, 64, 2, stride=2)
        self.box, self.score = nn.Conv2d(64, 64, 1), nn.Conv2d(64, 20, 1)
        self.integral = nn.Conv2d(16, 1, 1, bias=False)
        self.integral.weight.data[:] = torch.arange(16.0).reshape(1, 16, 1, 1)
        steps = torch.arange(32.0) + 0.5
        places = torch.stack([part.reshape(-1) for part in torch.meshgrid(steps, steps, indexing="ij")])
        self.register_buffer("grid", torch.cat([places, -places])[None] * 1.003)
        self.norm.running_mean.uniform_(-0.1, 0.1)
        self.norm.running_var.uniform_(0.05, 0.5)

    def forward(self, image):
        found = nn.functional.silu(self.norm(self.trunk(image)))
        found = self.up(torch.relu(self.body(found)))
        sides = self.box(found).flatten(2).reshape(1, 4, 16, -1).transpose(1, 2).softmax(1)
        boxes = (self.integral(sides).squeeze(1) + self.grid) * 20
        return torch.cat([boxes, self.score(found).flatten(2).sigmoid()], 1)


def detector(): torch.manual_seed(0); return Detector()
'''
WEIGHTS = {"trunk": 64 * 27, "body": 320 * 64 * 9, "up": 320 * 64 * 4, "box": 64 * 64, "score": 64 * 20}
"""The detector's layers and their weights, but for the integral of 16."""

PICTURES = 24
SIZE = (1, 3, 64, 64)
SCORES = slice(4, None)
"""Where the detector's scores stand: 4 boxes of some hundred pixels come first."""


@dataclass(frozen=True)
class Scene:
    """A toy package with the detector, and a folder of pictures."""

    toy: Toy
    pictures: Path

    def request(self, function: str = "detector", **changes: Any) -> ExportRequest:
        """An export that is calibrated on the pictures."""
        given: dict[str, Any] = {
            "preprocess": self.toy.root / "preprocess.json",
            "calibration": (self.pictures,),
            "threads": 1,
        }
        return self.toy.request(function, **{**given, **changes})

    def files(self, function: str = "detector", **changes: Any) -> dict[str, Built]:
        """The files of the one target asked for, by precision; a missing one fails with its reason."""
        request = self.request(function, **changes)
        found = {}
        for (target, precision), result in export(request).items():
            assert result.artifact is not None, result.row
            if target in request.targets:
                found[precision] = result
        return found


def make_scene(root: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The package, its pictures (noise over a gradient) and its preprocess block."""
    toy = make_toy(root, monkeypatch)
    toy.nets.write_text(NETS + DETECTOR)
    write_pictures(root / "pictures", PICTURES)
    block = {"input_name": "image", "width": 64, "height": 64}
    (root / "preprocess.json").write_text(json.dumps(block))
    return Scene(toy, root / "pictures")


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """Seeded pictures, 64 x 64."""
    noise = np.random.default_rng(seed)
    slope = np.linspace(0, 200, 64, dtype=np.float32)[None, :, None]
    for number in range(count):
        picture = slope * noise.random((1, 1, 3), np.float32) + noise.integers(0, 56, (64, 64, 3))
        write_png(folder / f"{number:02d}.png", picture.astype(np.uint8))
    return folder


@contextmanager
def shared_scene(factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene that a module's tests share; converters run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.build.Workers", fakes.InProcess)
        yield make_scene(factory.mktemp("scene"), patch)


def artifact_of(result: Built) -> Artifact:
    """The artifact of a file that was built."""
    assert result.artifact is not None
    return result.artifact


def model_of(result: Built) -> Path:
    """The file itself."""
    assert result.folder is not None
    return result.folder / artifact_of(result).model_file


def answer(result: Built, image: np.ndarray) -> np.ndarray:
    """What the file says of one input."""
    artifact = artifact_of(result)
    runtime, _ = runner_for(artifact.target, artifact.deployment)
    session = runtime(model_of(result), artifact.inputs, artifact.outputs, 1)
    return np.asarray(session.run({"image": image})["output"])


def expected(scene: Scene, image: np.ndarray, function: str = "detector") -> np.ndarray:
    """What the fp32 model says of it."""
    import torch

    with torch.inference_mode():
        found: np.ndarray = scene.toy.module(function)(torch.from_numpy(image)).numpy()
    return found


def unseen() -> np.ndarray:
    """A picture as the model takes it that calibrated nothing."""
    return np.random.default_rng(7).random(SIZE, np.float32)
