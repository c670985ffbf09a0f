"""Door plate of the teachers: who can be learned from, by the word before the colon of ``--teacher``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.prompts.types import Answerer, World

TEACHERS: DoorPlate[Callable[[str, World], Answerer]] = DoorPlate(
    "teacher",
    {
        "truth": "training.distill.teachers.truth:open_plug",
        "run": "training.distill.teachers.run:open_plug",
        "ultralytics": "training.distill.teachers.ultralytics_masks:open_plug",
        "sam3": "training.distill.teachers.sam3:open_plug",
        "cached": "training.distill.teachers.cached:open_plug",
    },
)


def open_teacher(spec: str, world: World) -> Answerer:
    """Open a teacher.

    Args:
        spec: ``truth``, ``run:FOLDER``, ``ultralytics:FILE.pt``, ``sam3:FOLDER`` or ``cached:FOLDER``.
        world: the pictures that it will be asked about.

    Raises:
        DeployError: ``UNKNOWN-TEACHER``, and what the teacher raises.
    """
    name, _, place = spec.partition(":")
    return TEACHERS.open(name)(place, world)
