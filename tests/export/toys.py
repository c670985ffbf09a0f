"""Small models as a user's own package would hold them, and requests that export them."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from export.build import Built, build
from export.request import ExportRequest

_NUMBER = itertools.count()

NETS = '''
import torch
from torch import nn


class Block(nn.Module):
    """Convolution, norm, SiLU, a split, a transposed convolution and a sigmoid."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.act = nn.SiLU()
        self.mix = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.head = nn.Conv2d(4, 1, 1)

    def features(self, image):
        left, right = self.act(self.norm(self.conv(image))).split(8, 1)
        return self.up(torch.cat([self.act(self.mix(left)), right], 1))

    def forward(self, image):
        return self.head(torch.sigmoid(self.features(image)))


def build():
    torch.manual_seed(0)
    return Block()


class Named(Block):
    def forward(self, image):
        found = self.features(image)
        return {"sigmoid": self.head(found), "cat": found.mean((2, 3)), "conv2d": found}


class Pair(Block):
    def forward(self, image):
        mask = super().forward(image)
        return mask, [mask.mean((2, 3)), mask * 2]


class TwoDoors(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(12, 64), nn.Linear(20, 64)

    def forward(self, a, b):
        return torch.relu(self.one(a)) + self.two(b)


class Loud(Block):
    """Leaves the range of fp16 inside and comes back."""

    def forward(self, image):
        loud = torch.abs(self.features(image) * 1e7)
        return self.head(torch.sigmoid(loud / 1e7))


class LoudWeights(Block):
    """Its constants leave the range of fp16."""

    def __init__(self):
        super().__init__()
        self.register_buffer("gain", torch.full((4, 1, 1), 2e5))
        self.register_buffer("big", torch.full((4, 1, 1), 3e4))

    def forward(self, image):
        loud = torch.abs(self.features(image) * self.gain) / 2e5
        return self.head(torch.sigmoid(loud * (self.big / 3e4) + (self.big - 3e4)))


class Sometimes(Block):
    def forward(self, image):
        if image.mean() > 0.5:
            return super().forward(image)
        return super().forward(image) * 2


class Doubles(Block):
    def forward(self, image):
        return super().forward(image).double()


class Counts(Block):
    def forward(self, image):
        return super().forward(image), 3


class Infinite(Block):
    def forward(self, image):
        return super().forward(image) / 0


def named(): return Named()
def pair(): return Pair()
def two_doors(): return TwoDoors()
def loud(): torch.manual_seed(0); return Loud()
def loud_weights(): torch.manual_seed(0); return LoudWeights()
def sometimes(): return Sometimes()
def doubles(): return Doubles()
def counts(): return Counts()
def infinite(): return Infinite()
def nothing(): return 3
def raises(): raise RuntimeError("no weights today")
'''


@dataclass(frozen=True)
class Toy:
    """A package of its own in a folder that can be imported from."""

    root: Path
    package: str

    @property
    def nets(self) -> Path:
        """Its source file."""
        return self.root / self.package / "nets.py"

    def request(self, function: str = "build", **changes: Any) -> ExportRequest:
        """An export of one of its functions: 64x64 pictures, every target at fp32, two samples."""
        base = ExportRequest(
            spec=f"{self.package}.nets:{function}",
            targets=("onnx", "coreml", "executorch"),
            precisions=("fp32",),
            out=self.root / "artifacts",
            name="toy",
            inputs=(("image", (1, 3, 64, 64)),),
            sample_count=2,
            threads=2,
        )
        return replace(base, **changes)

    def module(self, function: str = "build") -> Any:
        """The model itself, in eval mode, with the weights that an export with seed 0 gives it."""
        import torch

        torch.manual_seed(0)
        __import__(f"{self.package}.nets")
        return getattr(sys.modules[f"{self.package}.nets"], function)().eval()

    def left(self) -> list[str]:
        """What lies in the output folder, hidden things too."""
        out = self.root / "artifacts"
        return sorted(path.name for path in out.iterdir()) if out.exists() else []


def make_toy(root: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Write the package under a name that was never imported before, and a cache of its own."""
    toy = Toy(root, f"toy_{next(_NUMBER)}")
    (root / toy.package).mkdir()
    (root / toy.package / "__init__.py").write_text("")
    toy.nets.write_text(NETS)
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setenv("POCKETPROOF_CACHE", str(root / "cache"))
    return toy


def by_cell(results: list[Built]) -> dict[tuple[str, str], Built]:
    """Results by target and precision."""
    return {(result.target, result.precision): result for result in results}


def export(request: ExportRequest) -> dict[tuple[str, str], Built]:
    """Build and sort."""
    return by_cell(build(request))
