"""Door plate of the observers: an artifact's ``target`` to what shows the values inside its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from export.bisect.protocol import Observer

OBSERVERS: DoorPlate[type[Observer]] = DoorPlate(
    "observer",
    {
        "onnx": "export.bisect.onnx:OnnxObserver",
        "coreml": "export.bisect.coreml:CoreMLObserver",
        "executorch": "export.bisect.executorch:ExecuTorchObserver",
    },
)
