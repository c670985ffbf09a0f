"""Door plate of the decoders: ``Decode.kind`` to the class that carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.decode.protocol import Decoder

DECODERS: DoorPlate[Callable[..., Decoder]] = DoorPlate(
    "decoder",
    {
        "binary_mask": "deploy.decode.binary_mask:BinaryMaskDecoder",
        "classify": "deploy.decode.classify:ClassifyDecoder",
        "yolo": "deploy.decode.yolo:YoloDecoder",
        "tensors": "deploy.decode.tensors:TensorsDecoder",
    },
)
