"""Door plate of the runtimes: an artifact's ``target`` to the class that runs its file on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from deploy.runtimes.protocol import Runtime

RUNTIMES: DoorPlate[type[Runtime]] = DoorPlate(
    "runtime",
    {
        "torch": "deploy.runtimes.torch_program:TorchProgramRuntime",
        "onnx": "deploy.runtimes.onnx:OnnxRuntime",
        "coreml": "deploy.runtimes.coreml:CoreMLRuntime",
        "executorch": "deploy.runtimes.executorch:ExecuTorchRuntime",
    },
)
