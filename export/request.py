"""What the user asked to export, before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError

InputShape = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class ExportRequest:
    """One ``deploy export`` call.

    ``spec`` is what the user typed for the model; ``inputs`` are (name, shape) pairs and may be empty where
    the source knows them; ``samples`` is a folder of real pictures for parity, golden samples and overflow.
    ``calibration`` are folders for activation ranges; empty means the run's own training split. ``budget`` is
    a figure's name (``None``: the task's) and the largest drop of an ``auto`` file, measured on ``tune_data``
    (labelled pictures) or else on the calibration's hold-out. ``phrases`` are encoded into a promptable run's
    bundles beside its own. ``tiling`` is declared in the preprocess block; ``nms`` says where
    boxes are suppressed.
    """

    spec: str
    targets: tuple[str, ...]
    precisions: tuple[str, ...]
    out: Path
    name: str | None = None
    weights: Path | None = None
    inputs: tuple[InputShape, ...] = ()
    image_size: int | None = None
    preprocess: Path | None = None
    decode: Path | None = None
    tiling: Tiling | None = None
    nms: Literal["app", "graph"] = "app"
    samples: Path | None = None
    sample_count: int = 4
    coreml_input: Literal["tensor", "image"] = "tensor"
    coreml_target: str = "iOS17"
    executorch_backend: Literal["xnnpack", "coreml"] = "xnnpack"
    onnx_pairing: Literal["x86", "arm"] = "x86"
    calibration: tuple[Path, ...] = ()
    calibration_count: int = 64
    calibrator: str = "auto"
    budget: tuple[str | None, float] = (None, 0.005)
    tune_data: Path | None = None
    finetune: int = 0
    phrases: tuple[str, ...] = ()
    use_cache: bool = True
    seed: int = 0
    threads: int = 1


def parse_budget(text: str) -> tuple[str | None, float]:
    """``map=0.005`` or ``0.005`` to the figure's name and the drop; raises ``BUDGET-INVALID`` for others."""
    name, _, number = text.rpartition("=")
    try:
        drop = float(number)
    except ValueError:
        drop = -1.0
    if not 0 <= drop < 1:
        raise DeployError(
            "BUDGET-INVALID",
            f"{text!r} is not a budget.",
            "Write the largest drop as a number from 0 to 1, with or without the figure: --budget map=0.005",
        )
    return name or None, drop


def parse_input(text: str) -> InputShape:
    """``image=1x3x256x256`` to its name and shape; raises ``INPUT-SHAPE`` for anything else."""
    name, _, dimensions = text.partition("=")
    parts = dimensions.lower().split("x")
    if not name or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise DeployError(
            "INPUT-SHAPE",
            f"{text!r} is not an input shape.",
            "Write it as NAME=1x3x256x256 (batch, channels, height, width).",
        )
    return name, tuple(int(part) for part in parts)
