"""Door plate of the corruptors: an artifact's ``target`` to what edits the weights inside its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from export.selftest.protocol import Corruptor

CORRUPTORS: DoorPlate[type[Corruptor]] = DoorPlate(
    "corruptor",
    {
        "onnx": "export.selftest.onnx:OnnxCorruptor",
        "coreml": "export.selftest.coreml:CoreMLCorruptor",
        "executorch": "export.selftest.executorch:ExecuTorchCorruptor",
    },
)
