"""Door plate of the folder layouts, in the order in which a folder is asked whether it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from training.data.layouts.protocol import Layout

LAYOUTS: DoorPlate[Layout] = DoorPlate(
    "layout",
    {
        "davis": "training.data.layouts.davis:LAYOUT",
        "image_masks": "training.data.layouts.image_masks:LAYOUT",
        "yolo": "training.data.layouts.yolo:LAYOUT",
        "coco": "training.data.layouts.coco:LAYOUT",
        "class_folders": "training.data.layouts.class_folders:LAYOUT",
        "pictures": "training.data.layouts.pictures:LAYOUT",
    },
)
