"""Door plate of the tasks: what can be learned, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from training.tasks.protocol import Task

TASKS: DoorPlate[type[Task]] = DoorPlate(
    "task",
    {
        "binary_masks": "training.tasks.binary_masks:BinaryMasks",
        "promptable_masks": "training.tasks.promptable_masks:PromptableMasks",
        "tiled_detection": "training.tasks.tiled_detection:TiledDetection",
        "video_masks": "training.tasks.video_masks:VideoMasks",
    },
)
