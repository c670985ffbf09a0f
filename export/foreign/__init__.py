"""Door plate of foreign model files: a file's suffix to what reads its doors and counts what is inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from export.foreign.protocol import ForeignFormat

FORMATS: DoorPlate[type[ForeignFormat]] = DoorPlate(
    "model file",
    {
        "onnx": "export.foreign.onnx:ForeignOnnx",
        "mlpackage": "export.foreign.coreml:ForeignCoreML",
        "pte": "export.foreign.executorch:ForeignExecuTorch",
    },
)


def format_of(path: Path) -> str | None:
    """Name on the plate for a path that exists and ends like a model file; ``None`` for anything else."""
    name = path.suffix.removeprefix(".").lower()
    return name if name in FORMATS and path.exists() else None
