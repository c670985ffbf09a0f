"""Door plate of the targets, with what the flow must know of each before its process starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from export.targets.protocol import Target

TARGETS: DoorPlate[type[Target]] = DoorPlate(
    "target",
    {
        "onnx": "export.targets.onnx:OnnxTarget",
        "coreml": "export.targets.coreml:CoreMLTarget",
        "executorch": "export.targets.executorch:ExecuTorchTarget",
    },
)
