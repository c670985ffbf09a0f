"""A promptable run of this project as a teacher, reading its own tokens."""

from __future__ import annotations

from pathlib import Path

from deploy.prompts.types import Answerer, World
from training.models.promptable.answerer import open_student


def open_plug(place: str, world: World) -> Answerer:
    """``run:FOLDER``, a finished run of ``promptable_masks``."""
    return open_student(Path(place))
