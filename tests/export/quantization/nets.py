"""Small captured programs: a chain with every kind of layer, and a detector's head that mixes ranges."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from export.folding import folded


class Chain(nn.Module):
    """Convolution, norm, SiLU, residual, linear."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.two = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = nn.functional.silu(self.norm(self.one(image)))
        found = found + torch.relu(self.two(found))
        return self.last(found.mean((2, 3)))


class Head(nn.Module):
    """A detector's end: boxes from a softmax integral in pixels beside scores 0..1, in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Conv2d(3, 16, 3, stride=8, padding=1)
        self.box = nn.Conv2d(16, 64, 1)
        self.score = nn.Conv2d(16, 3, 1)
        self.integral = nn.Conv2d(16, 1, 1, bias=False)
        self.integral.weight.data[:] = torch.arange(16.0).reshape(1, 16, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = torch.relu(self.trunk(image))
        boxes = self.box(found).flatten(2).reshape(1, 4, 16, -1).transpose(1, 2).softmax(1)
        return torch.cat([self.integral(boxes).squeeze(1) * 8, self.score(found).flatten(2).sigmoid()], 1)


def captured(module: nn.Module, *shape: int) -> ExportedProgram:
    """The folded program of a seeded module."""
    torch.manual_seed(0)
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.running_mean.normal_()  # type: ignore[union-attr]
            each.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return folded(torch.export.export(module.eval(), (torch.rand(shape),)))


def picture(seed: int, *shape: int) -> dict[str, Any]:
    """One input by name."""
    return {"image": torch.rand(shape, generator=torch.Generator().manual_seed(seed)).numpy()}
